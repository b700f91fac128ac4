"""The authorization code flow (RFC 6749 section 4.1.3), with PKCE always (RFC 7636)."""

from typing import Final

from authz_sidecar.oauth import pkce
from authz_sidecar.oauth.access import AccessTokens
from authz_sidecar.oauth.authorize import target
from authz_sidecar.oauth.client import Client
from authz_sidecar.oauth.door import Directory
from authz_sidecar.oauth.errors import InvalidGrant, InvalidTarget
from authz_sidecar.oauth.forms import Form
from authz_sidecar.oauth.grant import Spent
from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.settings import Settings

AUTHORIZATION_CODE: Final = "authorization_code"


class CodeFlow:
    """Turns a code into tokens, once."""

    def __init__(self, *, settings: Settings, grants: Grants, tokens: AccessTokens, people: Directory) -> None:
        """Take who keeps the codes, who signs, and who knows the people."""
        self._settings = settings
        self._grants = grants
        self._tokens = tokens
        self._people = people

    async def answer(self, client: Client, given: Form) -> dict[str, object]:
        """Give the tokens; raises `OAuthError`. A request that lacks something spends nothing."""
        code, verifier = given.need("code"), given.need("code_verifier")
        asked = given.all("resource")
        resource = target(self._settings, asked).uri if asked else None

        def check(spent: Spent) -> None:
            redirect_uri = given.get("redirect_uri")
            if spent.grant.client_id != client.id:
                raise InvalidGrant("the authorization code is unknown, expired or used", log="it is of another client")
            # RFC 6749 section 4.1.3; OAuth 2.1 drops the parameter, so that leaving it out is fine.
            if redirect_uri is not None and redirect_uri != spent.redirect_uri:
                raise InvalidGrant("redirect_uri is not the one of the authorization request")
            if not pkce.verify_pkce(verifier, spent.challenge):
                raise InvalidGrant("code_verifier does not belong to the code_challenge")
            if resource not in (None, spent.grant.resource):
                raise InvalidTarget("resource is not the one of the authorization request")

        redeemed = await self._grants.redeem(code, check, refresh="refresh_token" in client.grant_types)
        grant = redeemed.grant
        person = await self._people.person(grant.subject)
        if person is None:
            await self._grants.revoke(grant.id, "person_disabled")
            raise InvalidGrant("the person can no longer be let in")
        issued = self._tokens.issue(
            client_id=client.id,
            resource=grant.resource,
            scopes=grant.scopes,
            person=person,
            grant_id=grant.id,
            auth_time=grant.auth_time,
        )
        return issued.answer(redeemed.refresh_token)
