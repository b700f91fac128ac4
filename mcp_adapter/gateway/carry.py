"""Which headers go on to the server, and which of its own come back."""

from collections.abc import Iterable
from typing import Final

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1, and what older proxies send.
_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# What speaks of the connection to us, or lets a client choose for whom the server takes it.
_IN: Final = _HOP | {
    b"accept-encoding",
    b"authorization",
    b"cf-connecting-ip",
    b"client-ip",
    b"content-length",
    b"cookie",
    b"expect",
    b"fastly-client-ip",
    b"forwarded",
    b"host",
    b"http2-settings",
    b"origin",
    b"referer",
    b"true-client-ip",
    b"via",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    b"x-rewrite-url",
}
_IN_PREFIXES: Final = (b"sec-fetch-", b"x-authz-", b"x-forwarded", b"x-original-", b"x-real-", b"x-user-id")
# What the server says of its own host, which is not ours, and of cookies, which no MCP client needs.
_OUT: Final = _HOP | {b"alt-svc", b"clear-site-data", b"set-cookie", b"strict-transport-security", b"www-authenticate"}
_OUT_PREFIXES: Final = (b"access-control-",)


def inward(raw: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Give the client's headers that the server may see; uncompressed answers are asked for.

    A name with an underscore goes nowhere: some servers read it as a dash, and it would stand for a header that we
    have removed or set ourselves.
    """
    found = [(name.lower(), value) for name, value in raw]
    named = _nominated(found)
    kept = [
        (name, value)
        for name, value in found
        if name not in _IN and name not in named and b"_" not in name and not name.startswith(_IN_PREFIXES)
    ]
    return [*kept, (b"accept-encoding", b"identity")]


def outward(raw: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Give the server's headers that the client may see."""
    found = [(name.lower(), value) for name, value in raw]
    named = _nominated(found)
    return [
        (name, value)
        for name, value in found
        if name not in _OUT and name not in named and not name.startswith(_OUT_PREFIXES)
    ]


def _nominated(raw: RawHeaders) -> frozenset[bytes]:
    """Give the names that `Connection` calls hop-by-hop, but none that the protocol needs: that would hide them."""
    said = (part.strip().lower() for name, value in raw if name == b"connection" for part in value.split(b","))
    return frozenset(part for part in said if not part.startswith((b"mcp-", b"content-", b"accept")))
