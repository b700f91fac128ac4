"""A token verifier for the MCP SDKs' own authentication, which asks the sidecar."""

import uuid
from pathlib import Path

from mcp.server.auth.provider import AccessToken, TokenVerifier

from mcp_adapter.answering import SIDECAR, answering
from mcp_adapter.pdp import Item, Pdp

_ANYBODY = Item(method="ping")
"""What every verified caller may do."""


class SidecarTokenVerifier(TokenVerifier):
    """Verifies tokens for `MCPServer(token_verifier=…)` and FastMCP, as the sidecar does it for this server.

    It says who is calling; what the caller may do is decided by the middleware beside it. `resource` is the URL of
    this server, where the SDK compares it: the sidecar has checked that the token is for this server.
    """

    def __init__(
        self,
        *,
        server: str = "",
        sidecar: str = SIDECAR,
        config: Path | str | None = None,
        resource: str | None = None,
        timeout: float = 1.0,
        client: Pdp | None = None,
    ) -> None:
        """Take the settings; nothing is opened yet. Raises `ValueError` for what cannot be meant."""
        self._server, self._resource = server, resource
        self._pdp = answering(sidecar=sidecar, config=config, client=client, timeout=timeout)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Give whose token it is, or None; raises `Unanswered` (HTTP 500) when nobody could say."""
        answer = await self._pdp.check(token, _ANYBODY, server=self._server, request_id=uuid.uuid4().hex)
        principal = answer.principal
        if principal is None or not answer:
            return None
        return AccessToken(
            token=token,
            client_id=principal.client_id or principal.subject,
            scopes=list(principal.scopes),
            expires_at=int(answer.expires_at) or None,
            resource=self._resource,
            subject=principal.subject,
            claims={"iss": principal.issuer, "sub": principal.subject},
        )

    async def close(self) -> None:
        """Stop asking."""
        await self._pdp.close()
