"""Reads the forms that our pages send: small, and each field once."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

LARGEST: Final = 65_536
"""Bytes of a form; it carries an authorization request whose scopes may be many."""
_MOST: Final = 24


class NotAForm(Exception):
    """The body is no form of ours: of another type, too large, not UTF-8, or a field stands twice."""


async def read(request: Request) -> Mapping[str, str]:
    """Read the fields; raises `NotAForm`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NotAForm
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise NotAForm
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MOST,
        )
    except ValueError:
        raise NotAForm from None
    fields = dict(pairs)
    # No form of ours has a NUL, and databases differ in what they do with one.
    if len(fields) != len(pairs) or "\0" in "".join(fields.values()):
        raise NotAForm
    return fields
