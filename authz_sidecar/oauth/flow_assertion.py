"""The identity assertion flow (ID-JAG over RFC 7523): an identity provider of the company says who the person is."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from authz_sidecar.oauth import assertions
from authz_sidecar.oauth.access import AccessTokens
from authz_sidecar.oauth.assertions import AssertionRefused, Claims, Replays
from authz_sidecar.oauth.authorize import allowed, target, words
from authz_sidecar.oauth.client import Client
from authz_sidecar.oauth.door import Directory, Person
from authz_sidecar.oauth.errors import InvalidGrant, InvalidScope, InvalidTarget, UnauthorizedClient
from authz_sidecar.oauth.forms import Form
from authz_sidecar.oauth.settings import OFFLINE, Resource, Settings

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_JAG: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
_TYPE: Final = "oauth-id-jag+jwt"

Keys = Callable[[], Awaitable[Sequence[Mapping[str, object]]]]
"""Gives the public keys of an identity provider now; none when it does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """Somebody whom the operator believes about people."""

    issuer: str
    keys: Keys
    subject_claim: str = "sub"
    """The claim that is the person's name here."""


class AssertionFlow:
    """Turns an identity assertion into an access token."""

    def __init__(
        self,
        *,
        settings: Settings,
        tokens: AccessTokens,
        people: Directory,
        replays: Replays,
        providers: Sequence[IdentityProvider],
    ) -> None:
        """Take whom to believe, and who remembers what was used."""
        self._settings = settings
        self._tokens = tokens
        self._people = people
        self._replays = replays
        self._providers = {one.issuer: one for one in providers}

    async def answer(self, client: Client, given: Form) -> dict[str, object]:
        """Give an access token, and no refresh token: the provider is asked again; raises `OAuthError`."""
        if client.public:
            raise UnauthorizedClient("only a client that authenticates may bring an assertion")
        assertion = given.need("assertion")
        try:
            provider = self._providers.get(assertions.issuer_of(assertion))
            if provider is None:
                raise AssertionRefused("nobody trusts its issuer")
            claims = assertions.read(
                assertion,
                keys=await provider.keys(),
                issuer=provider.issuer,
                audiences=(self._settings.issuer,),
                typ=_TYPE,
            )
            # Bound to the client that it was made for: another one cannot use what it found.
            if claims.get("client_id") != client.id:
                raise AssertionRefused("`client_id` is not the client that authenticated")
            resource = self._resource(claims, given)
            scopes = _scopes(claims, client, resource, given)
            person = await self._person(claims, provider)
            await self._replays.spend(claims)
        except AssertionRefused as error:
            raise InvalidGrant("the assertion was not accepted", log=str(error)) from None
        issued = self._tokens.issue(client_id=client.id, resource=resource.uri, scopes=scopes, person=person)
        return issued.answer()

    def _resource(self, claims: Claims, given: Form) -> Resource:
        named = claims.get("resource")
        if named is not None and not isinstance(named, str):
            raise AssertionRefused("`resource` is not one URI")
        asked = given.all("resource")
        resource = target(self._settings, [named] if named else asked)
        if asked and target(self._settings, asked) != resource:
            raise InvalidTarget("resource is not the one of the assertion")
        return resource

    async def _person(self, claims: Claims, provider: IdentityProvider) -> Person:
        subject = claims.get(provider.subject_claim)
        plain = isinstance(subject, str) and subject.isprintable()
        person = await self._people.person(str(subject)) if plain else None
        if person is None:
            raise AssertionRefused("nobody here is called like its subject")
        return person


def _scopes(claims: Claims, client: Client, resource: Resource, given: Form) -> tuple[str, ...]:
    """Give what the assertion, the client and the request all have; nothing in common is an error."""
    said = claims.get("scope", "")
    if not isinstance(said, str):
        raise AssertionRefused("`scope` is not text")
    ours = allowed(given.get("scope") or "", client, resource)
    wanted = set(words(said)) - {OFFLINE}
    # Only an assertion that names nothing leaves it to the request; one that names nothing of ours grants nothing.
    found = tuple(scope for scope in ours if scope in wanted or not said)
    if ours and not found:
        raise InvalidScope("nothing of the assertion's scope exists at this resource")
    return found
