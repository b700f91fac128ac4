"""Reading the bodies of requests: bounded, of the right kind, each parameter once."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from authz_sidecar import strictjson
from authz_sidecar.oauth.errors import InvalidRequest

LARGEST: Final = 65_536
_MOST_FIELDS: Final = 64
_REPEATABLE: Final = frozenset({"resource", "audience"})
_FORM: Final = "application/x-www-form-urlencoded"


class Form:
    """The parameters of a token, revocation or introspection request; those without a value count as left out."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        """Take them as they came; raises `InvalidRequest` for one that is repeated (RFC 6749 section 3.2)."""
        self._pairs = [(name, value) for name, value in pairs if value]
        names = [name for name, _ in self._pairs if name not in _REPEATABLE]
        if len(set(names)) != len(names):
            raise InvalidRequest("a parameter is there more than once")

    def get(self, name: str) -> str | None:
        """Give a parameter, or None."""
        return next((value for other, value in self._pairs if other == name), None)

    def need(self, name: str) -> str:
        """Give a parameter that must be there, or raise `InvalidRequest`."""
        value = self.get(name)
        if value is None:
            raise InvalidRequest(f"{name} is missing")
        return value

    def all(self, name: str) -> list[str]:
        """Give every value of a parameter that may be repeated."""
        return [value for other, value in self._pairs if other == name]


async def form(http: Request) -> Form:
    """Read a form, or raise `InvalidRequest`."""
    return Form(await pairs(http))


async def pairs(http: Request) -> list[tuple[str, str]]:
    """Read the fields of a form in their order, or raise `InvalidRequest`."""
    if _kind(http) != _FORM:
        raise InvalidRequest(f"the body must be {_FORM}")
    try:
        text = (await body(http)).decode("utf-8")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise InvalidRequest("the body is not a form in UTF-8, or has too many fields") from None


async def document(http: Request) -> Mapping[str, object]:
    """Read a JSON object, or raise `InvalidRequest`."""
    if _kind(http) != "application/json":
        raise InvalidRequest("the body must be application/json")
    try:
        found = strictjson.loads(await body(http), max_depth=8)
    except strictjson.StrictJsonError as error:
        raise InvalidRequest(f"the body {error}") from None
    if not isinstance(found, dict):
        raise InvalidRequest("the body is not a JSON object")
    return found


async def body(http: Request) -> bytes:
    """Read at most 64 KiB, or raise `InvalidRequest`."""
    found = bytearray()
    async for part in http.stream():
        found += part
        if len(found) > LARGEST:
            raise InvalidRequest(f"the body is larger than {LARGEST} bytes")
    return bytes(found)


def _kind(http: Request) -> str:
    return http.headers.get("content-type", "").partition(";")[0].strip().lower()
