"""The protected resource metadata of every server behind the gateway."""

from mcp_adapter.gateway.config import Gateway, Server
from mcp_adapter.metadata import WELL_KNOWN, Document, document


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
        found[WELL_KNOWN + server.path] = document(
            resource(config, server),
            server.authorization_servers,
            scopes=server.scopes_supported,
            name=server.name,
        )
        if len(config.servers) == 1:
            found[WELL_KNOWN] = found[WELL_KNOWN + server.path]
    return found
