"""Who is the client? By its secret, by a JWT that it signed, or by its name alone when it can keep no secret."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote_plus

from starlette.requests import Request

from authz_sidecar.oauth import assertions, opaque
from authz_sidecar.oauth.assertions import AssertionRefused, Replays
from authz_sidecar.oauth.authorize import Clients
from authz_sidecar.oauth.client import Client, Proof
from authz_sidecar.oauth.clientjwks import Jwks
from authz_sidecar.oauth.errors import InvalidClient, InvalidRequest
from authz_sidecar.oauth.forms import Form
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.ports import Clock

ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST: Final = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basic:
    """What stood in the Authorization header."""

    id: str
    secret: str


class ClientKeys(Protocol):
    """Knows the keys that clients publish."""

    async def find(self, url: str, *, fits: Callable[[Jwks], bool]) -> Jwks:
        """Give the keys of a page; a fresh look is taken for what is old, or does not fit. None of them: empty."""
        ...


class ClientAuthentication:
    """Authenticates clients (RFC 6749 section 2.3)."""

    def __init__(
        self,
        *,
        settings: Settings,
        clients: Clients,
        replays: Replays,
        clock: Clock,
        published: ClientKeys | None = None,
    ) -> None:
        """Take who knows the clients and the keys that they publish, and who remembers assertions."""
        self._settings = settings
        self._clients = clients
        self._replays = replays
        self._published = published
        self._clock = clock

    async def client(self, http: Request, form: Form) -> Client:
        """Give the client, or raise `InvalidClient`; `InvalidRequest` when it tries two ways at once."""
        basic = _basic(http)
        assertion, secret = form.get("client_assertion"), form.get("client_secret")
        tried = [way for way in (basic and basic.secret, assertion, secret) if way]
        if len(tried) > 1 or (basic is not None and assertion is not None):
            raise InvalidRequest("the client authenticates in more than one way")
        if assertion is not None:
            return await self._by_assertion(form, assertion)
        client_id = form.get("client_id") or (basic.id if basic else "")
        if basic is not None and basic.id != client_id:
            raise InvalidRequest("client_id differs from the one in the Authorization header")
        presented = secret or (basic.secret if basic else "")
        return await self._by_secret(client_id, presented, basic=basic is not None)

    async def _by_secret(self, client_id: str, secret: str, *, basic: bool) -> Client:
        client = await self._find(client_id)
        if client is None:
            raise InvalidClient(log="nobody knows the client", basic=basic)
        match client.proof:
            case Proof.NONE:
                if secret:
                    raise InvalidClient(log="a public client came with a secret", basic=basic)
            case Proof.BASIC | Proof.POST:
                # Either way of sending it proves the same, and libraries choose for themselves.
                if not opaque.matches(secret, client.secret_hash):
                    raise InvalidClient(log="the secret is wrong or missing", basic=basic)
            case Proof.PRIVATE_KEY:
                raise InvalidClient(log="a client with a key must sign", basic=basic)
        return client

    async def _by_assertion(self, form: Form, assertion: str) -> Client:
        if form.need("client_assertion_type") != ASSERTION:
            raise InvalidRequest(f"client_assertion_type must be {ASSERTION}")
        client_id = assertions.issuer_of(assertion)
        if form.get("client_id") not in (None, client_id):
            raise InvalidClient(log="`client_id` is not the assertion's `iss`")
        client = await self._find(client_id)
        if client is None or client.proof is not Proof.PRIVATE_KEY:
            raise InvalidClient(log="no client of that name has a key")
        try:
            claims = assertions.read(
                assertion,
                keys=await self._keys(client, assertion),
                issuer=client.id,
                audiences=(self._settings.issuer, self._settings.endpoint("token")),
                typ=None,
            )
            if claims["sub"] != client.id:
                raise AssertionRefused("`sub` is not the client")
            await self._replays.spend(claims)
        except AssertionRefused as error:
            raise InvalidClient(log=str(error)) from None
        return client

    async def _keys(self, client: Client, assertion: str) -> Jwks:
        if not client.jwks_uri or self._published is None:
            return client.jwks
        return await self._published.find(client.jwks_uri, fits=lambda keys: assertions.names_one(assertion, keys))

    async def _find(self, client_id: str) -> Client | None:
        return await self._clients.find(client_id) if 0 < len(client_id) <= _LONGEST else None


def _basic(http: Request) -> _Basic | None:
    header = http.headers.getlist("authorization")
    if not header:
        return None
    scheme, _, encoded = header[0].partition(" ")
    if len(header) > 1 or scheme.lower() != "basic":
        raise InvalidClient(log="the Authorization header is not one of Basic", basic=True)
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except ValueError:
        raise InvalidClient(log="the Authorization header cannot be read", basic=True) from None
    name, colon, secret = text.partition(":")
    if not colon:
        raise InvalidClient(log="the Authorization header cannot be read", basic=True)
    return _Basic(id=unquote_plus(name), secret=unquote_plus(secret))  # RFC 6749 section 2.3.1
