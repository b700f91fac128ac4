"""The refresh flow (RFC 6749 section 6): a new token for each old one, and never more than was granted."""

from typing import Final

from authz_sidecar.oauth.access import AccessTokens
from authz_sidecar.oauth.authorize import target, words
from authz_sidecar.oauth.client import Client
from authz_sidecar.oauth.door import Directory
from authz_sidecar.oauth.errors import InvalidGrant, InvalidScope, InvalidTarget
from authz_sidecar.oauth.forms import Form
from authz_sidecar.oauth.grant import Offered
from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.settings import OFFLINE, Settings

REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - a grant type, not a token


class RefreshFlow:
    """Turns a refresh token into an access token and its successor."""

    def __init__(self, *, settings: Settings, grants: Grants, tokens: AccessTokens, people: Directory) -> None:
        """Take who keeps the grants, who signs, and who knows the people."""
        self._settings = settings
        self._grants = grants
        self._tokens = tokens
        self._people = people

    async def answer(self, client: Client, given: Form) -> dict[str, object]:
        """Give the tokens; raises `OAuthError`. A request that is only wrong spends nothing."""
        token = given.need("refresh_token")
        offered = await self._grants.offered(token)
        grant = offered.grant
        if grant.client_id != client.id:
            # It has leaked; its own client will have to ask its person again.
            await self._grants.revoke(grant.id, "refresh_misused")
            raise InvalidGrant("the refresh token is unknown, expired or used", log="it is of another client")
        scopes = self._narrowed(offered, given)
        person = await self._people.person(grant.subject)
        if person is None:
            await self._grants.revoke(grant.id, "person_disabled")
            raise InvalidGrant("the person can no longer be let in")
        # The successor may ask for all of the grant again: RFC 6749 section 6 narrows the access token alone.
        successor = await self._grants.rotate(token, grant, offered.scopes)
        issued = self._tokens.issue(
            client_id=client.id,
            resource=grant.resource,
            scopes=scopes,
            person=person,
            grant_id=grant.id,
            auth_time=grant.auth_time,
        )
        return issued.answer(successor)

    def _narrowed(self, offered: Offered, given: Form) -> tuple[str, ...]:
        asked = given.all("resource")
        if asked and target(self._settings, asked).uri != offered.grant.resource:
            raise InvalidTarget("resource is not the one that was granted")
        resource = self._settings.resource(offered.grant.resource)
        if resource is None:
            raise InvalidTarget("the resource that was granted is no longer served here")
        # What the operator took away meanwhile is granted to nobody any more.
        left = [scope for scope in offered.scopes if scope in resource.scope_names]
        wanted = set(words(given.get("scope") or "")) - {OFFLINE}
        if wanted - set(left):
            raise InvalidScope("scope is more than was granted; ask the person again")
        return tuple(scope for scope in left if scope in wanted or not wanted)
