"""The answers of the adapter itself: RFC 6750 challenges round JSON-RPC errors."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from mcp_adapter.gate import Ruling, Way
from mcp_adapter.refusal import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, UNANSWERED, Refusal

NO_TOKEN: Final = 40100
FORBIDDEN: Final = 40300
SCOPE_NEEDED: Final = 40301

_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
_PRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_NO_STORE: Final = (b"cache-control", b"no-store")
_JSON: Final = (b"content-type", b"application/json")

_RETRY: Final = (b"retry-after", b"1")
ALLOW: Final = (b"allow", b"GET, POST, DELETE, OPTIONS")
RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A whole HTTP response."""

    status: int
    headers: RawHeaders
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenger:
    """Words every no of one server."""

    resource_metadata: str = ""
    """The URL of the protected resource metadata (RFC 9728), if there is one."""
    scopes_hint: tuple[str, ...] = ()
    """Scopes that a caller without a token should ask for."""
    help_text: str = ""
    """What a person who was denied should do, for example `ask #it-access`."""
    softly: bool = False
    """Say a final no with 200 and a JSON-RPC error: some clients lose their connection on 403 (mcp 1.x)."""

    def ruled(
        self, ruling: Ruling, request_id: str | int | None, *, token_sent: bool, modern: bool = False
    ) -> Answered:
        """Answer a request that was judged and does not go on; `modern` is the era without sessions."""
        match ruling.way:
            case Way.CHALLENGE:
                return self._challenge(ruling, request_id, token_sent=token_sent)
            case Way.STEP_UP:
                header = self._header(
                    error="insufficient_scope", error_description=ruling.message, scope=_scopes(ruling.scopes)
                )
                return self._answer(403, SCOPE_NEEDED, ruling, request_id, header)
            case Way.FORBID:
                return self._answer(
                    200 if self.softly and request_id is not None else 403, FORBIDDEN, ruling, request_id
                )
            case Way.NO_METHOD:
                return self._answer(404, METHOD_NOT_FOUND, ruling, request_id)
            case Way.UNKNOWN:
                # Where there are sessions, 404 says that the session has ended, and the client would begin another.
                return self._answer(404 if modern else 200, INVALID_PARAMS, ruling, request_id)
            case Way.BAD_REQUEST:
                return self._answer(400, INVALID_REQUEST, ruling, request_id)
            case _:
                return self._answer(503, UNANSWERED, ruling, request_id, _RETRY)

    def refused(self, refusal: Refusal) -> Answered:
        """Answer a request that was never judged."""
        extra = {405: (ALLOW,), 503: (_RETRY,)}.get(refusal.status, ())
        body = error_body(refusal.request_id, refusal.code, refusal.message, {})
        return _answered(refusal.status, body, *extra)

    def _challenge(self, ruling: Ruling, request_id: str | int | None, *, token_sent: bool) -> Answered:
        # RFC 6750 section 3.1: no error where no token was sent; and which check failed is not the caller's business.
        error = "invalid_token" if token_sent else ""
        description = "the access token was not accepted" if token_sent else ""
        header = self._header(error=error, error_description=description, scope=_scopes(self.scopes_hint))
        return self._answer(401, NO_TOKEN, ruling, request_id, header)

    def _header(self, **parts: str) -> tuple[bytes, bytes]:
        parts["resource_metadata"] = self.resource_metadata
        said = ", ".join(f"{name}={_quoted(value)}" for name, value in parts.items() if value)
        return b"www-authenticate", f"Bearer {said}".rstrip().encode("ascii")

    def _answer(
        self, status: int, code: int, ruling: Ruling, request_id: str | int | None, *headers: tuple[bytes, bytes]
    ) -> Answered:
        data: dict[str, object] = {}
        if ruling.answer is not None and ruling.answer.decision_id:
            data["decision_id"] = ruling.answer.decision_id
        message = ruling.message
        if self.help_text:
            data["help"] = self.help_text
            message = f"{message} ({self.help_text})"
        if code == SCOPE_NEEDED:
            data["required_scopes"] = ruling.scopes
        return _answered(status, error_body(request_id, code, message, data), *headers)


def error_body(request_id: str | int | None, code: int, message: str, data: dict[str, object]) -> bytes:
    """Spell a JSON-RPC error; a request whose id is not known has the id null (JSON-RPC 2.0 section 5)."""
    error: dict[str, object] = {"code": code, "message": message}
    if data:
        error["data"] = data
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "error": error})


def _answered(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Answered:
    length = (b"content-length", str(len(body)).encode("ascii"))
    return Answered(status=status, headers=(_JSON, length, _NO_STORE, *headers), body=body)


def _scopes(scopes: Iterable[str]) -> str:
    return " ".join(scope for scope in scopes if _SCOPE.fullmatch(scope))


def _quoted(text: str) -> str:
    """Quote a header value so that nothing in it can end the quote or the line."""
    return '"' + _PRINTABLE.sub("?", text).replace("\\", "\\\\").replace('"', '\\"') + '"'
