"""The protected resource metadata (RFC 9728): where clients of each server get their tokens."""

from dataclasses import dataclass
from typing import Final

import msgspec

from mcp_adapter.asgi_types import Scope, Send
from mcp_adapter.gateway.config import Gateway, Server

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


def resource(config: Gateway, server: Server) -> str:
    """Give the identifier of a server: what tokens for it name as their audience."""
    return server.resource or config.public_url + server.path


def metadata_url(config: Gateway, server: Server) -> str:
    """Give where a client finds the document of a server, or nothing when there is none."""
    return f"{config.public_url}{WELL_KNOWN}{server.path}" if server.authorization_servers else ""


def documents(config: Gateway) -> dict[str, Document]:
    """Give the documents by path: below the path of each server, and at the root when there is one server only.

    Nothing in them comes from a request: a `Host` header must not choose where clients log in.
    """
    found: dict[str, Document] = {}
    for server in config.servers:
        if not server.authorization_servers:
            continue
        said: dict[str, object] = {
            "resource": resource(config, server),
            "authorization_servers": server.authorization_servers,
            "bearer_methods_supported": ["header"],
            "resource_name": server.name,
        }
        if server.scopes_supported:
            said["scopes_supported"] = server.scopes_supported
        found[WELL_KNOWN + server.path] = Document(body=msgspec.json.encode(said))
        if len(config.servers) == 1:
            found[WELL_KNOWN] = found[WELL_KNOWN + server.path]
    return found
