"""The client credentials flow (RFC 6749 section 4.4): a client for itself, without a person."""

from typing import Final

from authz_sidecar.oauth.access import AccessTokens
from authz_sidecar.oauth.authorize import allowed, target
from authz_sidecar.oauth.client import Client, Origin
from authz_sidecar.oauth.errors import UnauthorizedClient
from authz_sidecar.oauth.forms import Form
from authz_sidecar.oauth.settings import Settings

CLIENT_CREDENTIALS: Final = "client_credentials"


class ClientFlow:
    """Gives a client a token of its own."""

    def __init__(self, *, settings: Settings, tokens: AccessTokens) -> None:
        """Take who signs."""
        self._settings = settings
        self._tokens = tokens

    async def answer(self, client: Client, given: Form) -> dict[str, object]:
        """Give an access token, and no refresh token (RFC 6749 section 4.4.3); raises `OAuthError`."""
        # Anybody may register; to be somebody without a person behind it, the operator has to say so.
        if client.public or client.origin is not Origin.CONFIGURED:
            raise UnauthorizedClient("only a confidential client that the operator added may act for itself")
        resource = target(self._settings, given.all("resource"))
        scopes = allowed(given.get("scope") or "", client, resource)
        return self._tokens.issue(client_id=client.id, resource=resource.uri, scopes=scopes).answer()
