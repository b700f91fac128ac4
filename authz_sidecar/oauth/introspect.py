"""The introspection endpoint (RFC 7662): says to confidential clients what a token is worth now."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from authz_sidecar.oauth.access import FAMILY, AccessTokens
from authz_sidecar.oauth.authorize import Clients
from authz_sidecar.oauth.client import Origin
from authz_sidecar.oauth.clientauth import ClientAuthentication
from authz_sidecar.oauth.door import Directory
from authz_sidecar.oauth.errors import InvalidClient
from authz_sidecar.oauth.forms import form
from authz_sidecar.oauth.replies import told

_TOLD: Final = (
    "iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "auth_time", "roles", "groups", FAMILY,
)  # fmt: skip


class IntrospectionEndpoint:
    """Answers questions about tokens."""

    def __init__(
        self, *, authentication: ClientAuthentication, tokens: AccessTokens, clients: Clients, people: Directory
    ) -> None:
        """Take who knows the tokens, and whom they are of."""
        self._authentication = authentication
        self._tokens = tokens
        self._clients = clients
        self._people = people

    async def __call__(self, http: Request) -> Response:
        """Answer one; raises `OAuthError`. A refresh token is as unknown here as anything else."""
        given = await form(http)
        client = await self._authentication.client(http, given)
        # Section 2.1: whoever may ask is known, or stolen tokens could be tried out here.
        if client.public or client.origin is not Origin.CONFIGURED:
            raise InvalidClient(log="a client that the operator did not add asks about tokens")
        claims = await self._tokens.active(given.need("token"))
        if claims is None or not await self._known(claims):
            return told({"active": False})
        return told({"active": True, "token_type": "Bearer"} | {name: claims[name] for name in _TOLD if name in claims})

    async def _known(self, claims: Mapping[str, Any]) -> bool:
        """Say whether client and person still count; a token that no grant stands behind ends with them."""
        subject, client_id = str(claims["sub"]), str(claims["client_id"])
        if subject != client_id and await self._people.person(subject) is None:
            return False
        # A document is on the web: whoever asks about a token must not wait for it.
        return client_id.startswith("https://") or await self._clients.find(client_id) is not None
