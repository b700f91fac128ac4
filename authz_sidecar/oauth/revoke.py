"""The revocation endpoint (RFC 7009): a refresh token takes its whole family with it."""

from starlette.requests import Request
from starlette.responses import Response

from authz_sidecar.oauth.access import AccessTokens
from authz_sidecar.oauth.clientauth import ClientAuthentication
from authz_sidecar.oauth.forms import form
from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.replies import NO_STORE, OPEN


class RevocationEndpoint:
    """Revokes what a client brings, if it is the client's own."""

    def __init__(self, *, authentication: ClientAuthentication, grants: Grants, tokens: AccessTokens) -> None:
        """Take who knows the tokens."""
        self._authentication = authentication
        self._grants = grants
        self._tokens = tokens

    async def __call__(self, http: Request) -> Response:
        """Revoke one; raises `OAuthError`.

        A token that is unknown, over, or of another client gets the same answer (section 2.2): nobody learns from it
        whose a token is, and nothing of another client's is touched. A public client gives its `client_id` alone.
        """
        given = await form(http)
        client = await self._authentication.client(http, given)
        token = given.need("token")
        found = await self._grants.of_refresh(token)
        if found is not None:
            if found.client_id == client.id:
                await self._grants.revoke(found.id, "revoked_by_client")
        elif (claims := self._tokens.signed(token)) is not None and claims["client_id"] == client.id:
            await self._tokens.revoke(claims)
        return Response(status_code=200, headers={**NO_STORE, **OPEN})
