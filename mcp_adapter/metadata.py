"""The protected resource metadata (RFC 9728): where clients of a server get their tokens."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import msgspec

from mcp_adapter.asgi_types import Scope, Send

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_HEADERS: Final = (
    # Read by web pages of any origin; it holds no secret and is the same for everybody.
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"*"),
    (b"cache-control", b"public, max-age=300"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An answer to everybody."""

    body: bytes

    async def __call__(self, scope: Scope, send: Send) -> int:
        """Answer, and give the status."""
        method = scope["method"]
        status = {"GET": 200, "HEAD": 200, "OPTIONS": 204}.get(method, 405)
        headers = list(_HEADERS)
        if status == 405:
            headers.append((b"allow", b"GET, HEAD, OPTIONS"))
        elif status == 200:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", str(len(self.body)).encode("ascii")))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body if method == "GET" else b"", "more_body": False})
        return status


def document(
    resource: str, authorization_servers: Iterable[str], *, scopes: Iterable[str] = (), name: str = ""
) -> Document:
    """Write the document (RFC 9728 section 2); issuers stand in it byte by byte as they are given."""
    said: dict[str, object] = {
        "resource": resource,
        "authorization_servers": tuple(authorization_servers),
        "bearer_methods_supported": ["header"],
    }
    if name:
        said["resource_name"] = name
    if supported := tuple(scopes):
        said["scopes_supported"] = supported
    return Document(body=msgspec.json.encode(said))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The document of one resource, and where clients look for it."""

    url: str
    """What challenges name (RFC 9728 section 5.1)."""
    document: Document
    paths: frozenset[str]


def published(
    resource: str, authorization_servers: Iterable[str], *, path: str, scopes: Iterable[str] = (), name: str = ""
) -> Published | None:
    """Publish the metadata of a server at `path`, or nothing where nothing is given; raises `ValueError`.

    Nothing in it comes from a request: a `Host` header must not choose where clients log in.
    """
    servers = tuple(authorization_servers)
    if not resource and not servers and not tuple(scopes):
        return None
    if not resource or not servers:
        raise ValueError("`resource` and `authorization_servers` belong together: give both or neither")
    for url in (resource, *servers):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or parts.username:
            raise ValueError(f"`{url}` is not an `http` or `https` URL without user and fragment")
    parts = urlsplit(resource)
    below = WELL_KNOWN + (parts.path if parts.path != "/" else "")
    return Published(
        url=f"{parts.scheme}://{parts.netloc}{below}",  # section 3.1: inserted between host and path
        document=document(resource, servers, scopes=scopes, name=name),
        paths=frozenset({below, WELL_KNOWN + path, WELL_KNOWN}),
    )
