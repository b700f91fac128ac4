"""The authorization server behind the MCP SDK's own routes (1.x and 2.x): a provider over the same database.

A server that mounts `create_auth_routes` gets our grants, keys, revocations and people. What the SDK's handlers cannot
do (client authentication by hash or key, PKCE spent with the code, revocation for public clients, `iss` in errors) is
at our own endpoints; so here every client is public.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authz_sidecar.oauth.access import FAMILY
from authz_sidecar.oauth.authorize import target
from authz_sidecar.oauth.callers import Callers, caller
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.core import Core
from authz_sidecar.oauth.door import Directory, Person
from authz_sidecar.oauth.errors import InvalidGrant, InvalidRedirectUri, OAuthError
from authz_sidecar.oauth.grant import Grant, Spent
from authz_sidecar.oauth.register import client_name, grant_types, redirect_uris
from authz_sidecar.oauth.settings import OFFLINE
from authz_sidecar.ports import Clock

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken, AuthorizationCode, AuthorizationParams, RefreshToken
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

__all__ = ["Callers", "SdkProvider"]


class SdkProvider:
    """An `OAuthAuthorizationServerProvider`; `Settings.mount` keeps our own pages apart from the SDK's routes."""

    def __init__(self, core: Core, people: Directory, *, clock: Clock) -> None:
        """Take the server, and who knows the people."""
        self._core = core
        self._people = people
        self._clock = clock

    async def get_client(self, client_id: str) -> "OAuthClientInformationFull | None":
        """Give a public client; others cannot prove themselves here, since only a hash of their secret is kept."""
        from mcp.shared.auth import OAuthClientInformationFull

        client = await self._core.registry.find(client_id)
        if client is None or not client.public:
            return None
        # All that can be granted: the SDK holds a client to this, and one held to less could never step up.
        scopes = dict.fromkeys(name for one in self._core.settings.resources for name in one.scope_names)
        return OAuthClientInformationFull.model_validate(
            {
                "client_id": client.id,
                "client_name": client.name or None,
                "redirect_uris": list(client.redirect_uris),
                "grant_types": sorted(client.grant_types),
                "response_types": ["code"],
                "token_endpoint_auth_method": Proof.NONE.value,
                "scope": " ".join([*(client.scope or scopes), OFFLINE]),
            }
        )

    async def register_client(self, client_info: "OAuthClientInformationFull") -> None:
        """Keep a client, as a public one: the SDK tells it so, since it answers with what is left in `client_info`."""
        now, said = self._clock(), client_info.model_dump(mode="json", exclude_none=True)
        try:
            self._core.admission.knock(caller())
            made = Client(
                id=str(client_info.client_id),
                origin=Origin.REGISTERED,
                name=client_name(said),
                redirect_uris=redirect_uris(said),
                grant_types=grant_types(said),
                created_at=now,
                expires_at=now + self._core.settings.registration_seconds,
            )
            await self._core.admission.room()
        except OAuthError as error:
            raise _refused(error) from None
        await self._core.registry.add(made)
        client_info.client_secret = None
        client_info.client_secret_expires_at = None
        client_info.token_endpoint_auth_method = Proof.NONE.value
        client_info.grant_types = sorted(made.grant_types)

    async def authorize(self, client: "OAuthClientInformationFull", params: "AuthorizationParams") -> str:
        """Give the URL of our own authorization endpoint, where everything is checked again and the person asked."""
        asked: dict[str, Any] = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": str(params.redirect_uri) if params.redirect_uri_provided_explicitly else None,
            "scope": " ".join(params.scopes) if params.scopes else None,
            "state": params.state,
            "resource": params.resource,
            "code_challenge": params.code_challenge,
            "code_challenge_method": "S256",  # the SDK takes no other
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{self._core.settings.endpoint('authorize')}?{query}"

    async def load_authorization_code(
        self, client: "OAuthClientInformationFull", authorization_code: str
    ) -> "AuthorizationCode | None":
        """Look at a code without spending it; a spent one revokes its family."""
        from mcp.server.auth.provider import AuthorizationCode

        found = await self._core.grants.offered_code(authorization_code)
        if found is None or found.grant.client_id != client.client_id:
            return None
        return AuthorizationCode.model_validate(
            {
                "code": authorization_code,
                "scopes": list(found.grant.scopes),
                "expires_at": found.expires_at,
                "client_id": found.grant.client_id,
                "code_challenge": found.challenge,
                "redirect_uri": found.redirect_uri,
                "redirect_uri_provided_explicitly": found.redirect_given,
                "resource": found.grant.resource,
                "subject": found.grant.subject,
            }
        )

    async def exchange_authorization_code(
        self, client: "OAuthClientInformationFull", authorization_code: "AuthorizationCode"
    ) -> "OAuthToken":
        """Spend a code, once; raises `TokenError`."""

        def ours(spent: Spent) -> None:
            if spent.grant.client_id != client.client_id:
                raise InvalidGrant("the authorization code is unknown, expired or used", log="it is of another client")

        refresh = "refresh_token" in (client.grant_types or ())
        try:
            redeemed = await self._core.grants.redeem(authorization_code.code, ours, refresh=refresh)
            return await self._issue(redeemed.grant, redeemed.grant.scopes, redeemed.refresh_token)
        except OAuthError as error:
            raise _told(error) from None

    async def load_refresh_token(
        self, client: "OAuthClientInformationFull", refresh_token: str
    ) -> "RefreshToken | None":
        """Look at a refresh token without spending it; a spent one revokes its family."""
        from mcp.server.auth.provider import RefreshToken

        try:
            found = await self._core.grants.offered(refresh_token)
        except InvalidGrant:
            return None
        return RefreshToken.model_validate(
            {
                "token": refresh_token,
                "client_id": found.grant.client_id,
                "scopes": list(found.scopes),
                "resource": found.grant.resource,
                "subject": found.grant.subject,
            }
        )

    async def exchange_refresh_token(
        self, client: "OAuthClientInformationFull", refresh_token: "RefreshToken", scopes: list[str]
    ) -> "OAuthToken":
        """Spend a refresh token for its successor, once, and never for more; raises `TokenError`."""
        try:
            found = await self._core.grants.offered(refresh_token.token)
            if found.grant.client_id != client.client_id or set(scopes) - set(found.scopes):
                raise InvalidGrant("the refresh token is unknown, expired or used")
            successor = await self._core.grants.rotate(refresh_token.token, found.grant, found.scopes)
            return await self._issue(found.grant, tuple(scopes) or found.scopes, successor)
        except OAuthError as error:
            raise _told(error) from None

    async def load_access_token(self, token: str) -> "AccessToken | None":
        """Give an access token that counts now, with the resource that it is for."""
        from mcp.server.auth.provider import AccessToken

        claims = await self._core.tokens.active(token)
        if claims is None or (claims["sub"] != claims["client_id"] and await self._person(claims["sub"]) is None):
            return None
        return AccessToken.model_validate(
            {
                "token": token,
                "client_id": claims["client_id"],
                "scopes": str(claims.get("scope", "")).split(),
                "expires_at": int(claims["exp"]),
                "resource": claims["aud"],
                "subject": claims["sub"],
                "claims": dict(claims),
            }
        )

    async def revoke_token(self, token: "AccessToken | RefreshToken") -> None:
        """Revoke a token and everything of its grant, and tell the sidecars."""
        grant = await self._core.grants.of_refresh(token.token)
        if grant is not None:
            await self._core.grants.revoke(grant.id, "revoked_by_client")
        elif (claims := self._core.tokens.signed(token.token)) is not None:
            await self._core.tokens.revoke(claims)
            await self._core.grants.revoke(str(claims[FAMILY]), "revoked_by_client")

    async def _issue(self, grant: Grant, scopes: tuple[str, ...], refresh_token: str | None) -> "OAuthToken":
        from mcp.shared.auth import OAuthToken

        person = await self._person(grant.subject)
        if person is None:
            await self._core.grants.revoke(grant.id, "person_disabled")
            raise InvalidGrant("the person can no longer be let in")
        issued = self._core.tokens.issue(
            client_id=grant.client_id,
            resource=target(self._core.settings, [grant.resource]).uri,
            scopes=scopes,
            person=person,
            grant_id=grant.id,
            auth_time=grant.auth_time,
        )
        return OAuthToken.model_validate(issued.answer(refresh_token))

    async def _person(self, subject: str) -> Person | None:
        return await self._people.person(subject)


def _told(error: OAuthError) -> Exception:
    from mcp.server.auth.provider import TokenError

    known: Any = error.code  # the SDK lists the words that it knows, ours are among them
    return TokenError(known, error.hint)


def _refused(error: OAuthError) -> Exception:
    from mcp.server.auth.provider import RegistrationError

    # RFC 7591 has no word for "later"; the SDK answers 400 with one of its list.
    known: Any = "invalid_redirect_uri" if isinstance(error, InvalidRedirectUri) else "invalid_client_metadata"
    return RegistrationError(known, error.hint)
