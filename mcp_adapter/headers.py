"""What the adapter reads from request headers, and what it takes away before the server sees them."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from mcp_adapter.refusal import Refusal, bad_request

RawHeaders = list[tuple[bytes, bytes]]

_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr](?: +(.*))?", re.DOTALL)
_B64TOKEN: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1
_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"last-event-id",
        b"mcp-method",
        b"mcp-name",
        b"mcp-protocol-version",
        b"mcp-session-id",
        b"origin",
        b"transfer-encoding",
    }
)
# Names by which servers take an identity from a proxy in front of them. A client may not say who it is.
_IDENTITY: Final = frozenset(
    {
        b"proxy-authorization",
        b"remote-user",
        b"x-actor",
        b"x-agent-id",
        b"x-client-id",
        b"x-email",
        b"x-groups",
        b"x-remote-user",
        b"x-role",
        b"x-roles",
        b"x-scopes",
        b"x-subject",
        b"x-tenant-id",
        b"x-user",
        b"x-username",
    }
)
_IDENTITY_PREFIXES: Final = (
    b"x-amzn-oidc-",
    b"x-auth-",
    b"x-authenticated-",
    b"x-authz-",
    b"x-forwarded-access-token",
    b"x-forwarded-email",
    b"x-forwarded-group",
    b"x-forwarded-preferred-username",
    b"x-forwarded-user",
    b"x-goog-authenticated-user-",
    b"x-ms-client-principal",
    b"x-remote-",
    b"x-user-",
)
_TAKEN: Final = frozenset({b"accept-encoding", b"authorization", b"last-event-id", b"mcp-session-id"})


class Headers:
    """The headers of one request; raises `Refusal` (400) where one that decides something is there twice.

    The threat: one reader takes the first of two and the next one the last (CVE-2021-32777).
    """

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the headers of an ASGI scope."""
        self._raw: Final = [(bytes(name).lower(), bytes(value)) for name, value in raw]
        self._found: Final[dict[bytes, bytes]] = {}
        for name, value in self._raw:
            if name in self._found and (name in _SINGLE or name.startswith(b"mcp-param-")):
                raise bad_request(f"the header `{name.decode('latin-1')}` is there twice")
            self._found[name] = value

    def get(self, name: bytes) -> bytes | None:
        """Give a value, or None."""
        return self._found.get(name)

    def text(self, name: bytes) -> str:
        """Give a value as text, or the empty one."""
        return self._found.get(name, b"").decode("latin-1")

    def token(self) -> str:
        """Give the bearer token, empty where none is sent; raises `Refusal` (400) for a mangled one."""
        found = _BEARER.fullmatch(self._found.get(b"authorization", b""))
        token: bytes = b"" if found is None else (found[1] or b"").strip(b" ")
        if token and not _B64TOKEN.fullmatch(token):
            raise bad_request("the access token has a character that no access token has")
        return token.decode("ascii")

    def length(self, limit: int) -> int | None:
        """Give the declared length of the body; raises `Refusal` (400, 413)."""
        said = self._found.get(b"content-length")
        if said is None:
            return None
        if not said.isdigit() or b"transfer-encoding" in self._found:
            raise bad_request("the length of the body is not clear")
        if len(said) > 15 or int(said) > limit:
            raise too_large(limit)
        return int(said)

    def onward(self, *, session: str, legacy: bool, event: bytes = b"") -> RawHeaders:
        """Give what the server gets to see: no token, no identity of the client's own making, no compression."""
        kept = [(name, value) for name, value in self._raw if name not in _TAKEN and not _is_taken(name)]
        if legacy:  # nothing in a body of the old era backs these, so nobody may route by them
            kept = [(name, value) for name, value in kept if name not in (b"mcp-method", b"mcp-name")]
        if session:
            kept.append((b"mcp-session-id", session.encode("latin-1")))
        if event:
            kept.append((b"last-event-id", event))
        return kept


def too_large(limit: int) -> Refusal:
    """Give the refusal of a body that is longer than the limit."""
    return Refusal(413, -32600, f"the body is longer than {limit} bytes")


def without_token(query: bytes) -> bytes:
    """Take `access_token` out of a query: it is never read there, and it must not reach a server's log."""
    parts = query.split(b"&")
    return b"&".join(part for part in parts if unquote_to_bytes(part.partition(b"=")[0]).lower() != b"access_token")


def _is_taken(name: bytes) -> bool:
    dashed = name.replace(b"_", b"-")  # some servers read both as one
    if dashed in _IDENTITY or dashed.startswith(_IDENTITY_PREFIXES):
        return True
    # So `Mcp_Session_Id` would be a session that was never opened here, and `Content_Length` another length.
    return dashed != name and (dashed in _SINGLE or dashed.startswith(b"mcp-"))
