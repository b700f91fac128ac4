"""The registration endpoint (RFC 7591): anybody may register, so what they say is bounded and believed by nobody."""

import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from authz_sidecar.oauth import opaque, redirects
from authz_sidecar.oauth.admission import Admission
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.clients import Registry
from authz_sidecar.oauth.errors import InvalidClientMetadata, InvalidRedirectUri
from authz_sidecar.oauth.forms import document
from authz_sidecar.oauth.redirects import RedirectError
from authz_sidecar.oauth.replies import told
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.ports import Clock

_GRANTS: Final = ("authorization_code", "refresh_token")
_PROOFS: Final = (Proof.NONE, Proof.BASIC, Proof.POST)
_MOST_REDIRECTS: Final = 16
_LONGEST_NAME: Final = 100
_KEPT: Final = ("application_type", "scope", "software_id", "software_version", "contacts", "tos_uri", "policy_uri")
_LONGEST: Final = 2_048

Metadata = Mapping[str, object]


class Registration:
    """Registers clients."""

    def __init__(self, *, settings: Settings, registry: Registry, admission: Admission, clock: Clock) -> None:
        """Take who keeps the clients, and who says how many there may be."""
        self._settings = settings
        self._admission = admission
        self._registry = registry
        self._clock = clock

    async def __call__(self, http: Request) -> Response:
        """Register one; raises `OAuthError`."""
        self._admission.knock(http.client.host if http.client else "")
        client, secret = self._read(await document(http))
        await self._admission.room()
        await self._registry.add(client)
        return told(_answer(client, secret), status=201)

    def _read(self, said: Metadata) -> tuple[Client, str]:
        proof = _proof(said)
        secret = "" if proof is Proof.NONE else opaque.make("cs")
        now = self._clock()
        client = Client(
            id=f"c-{secrets.token_urlsafe(16)}",
            origin=Origin.REGISTERED,
            name=client_name(said),
            uri=_page(said),
            proof=proof,
            secret_hash=opaque.digest(secret) if secret else "",
            redirect_uris=redirect_uris(said),
            grant_types=grant_types(said),
            metadata={name: _small(name, said[name]) for name in _KEPT if said.get(name) is not None},
            created_at=now,
            expires_at=now + self._settings.registration_seconds,
        )
        return client, secret


def redirect_uris(said: Metadata) -> tuple[str, ...]:
    """Read `redirect_uris`, or raise `InvalidRedirectUri`."""
    found = said.get("redirect_uris")
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_REDIRECTS:
        raise InvalidRedirectUri(f"redirect_uris must be a list of 1 to {_MOST_REDIRECTS}")
    for uri in found:
        try:
            redirects.check(uri if isinstance(uri, str) else "")
        except RedirectError as error:
            raise InvalidRedirectUri(f"a redirect URI {error}") from None
    return tuple(dict.fromkeys(found))


def grant_types(said: Metadata) -> frozenset[str]:
    """Read `grant_types` and `response_types`, or raise `InvalidClientMetadata`; others than ours are left out.

    RFC 7591 section 2 lets a server register less than was asked for and say so.
    """
    asked = said.get("grant_types", [_GRANTS[0]])
    answers = said.get("response_types", ["code"])
    if not isinstance(asked, list) or not isinstance(answers, list):
        raise InvalidClientMetadata("grant_types and response_types must be lists")
    found = frozenset(one for one in asked if one in _GRANTS)
    if _GRANTS[0] not in found or "code" not in answers:
        raise InvalidClientMetadata("only the authorization code flow is open to clients that register themselves")
    return found


def _proof(said: Metadata) -> Proof:
    asked = said.get("token_endpoint_auth_method", Proof.BASIC.value)  # the default of RFC 7591 section 2
    if said.get("jwks") is not None or said.get("jwks_uri") is not None or asked not in _PROOFS:
        raise InvalidClientMetadata(
            "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post"
        )
    return Proof(str(asked))


def client_name(said: Metadata) -> str:
    """Read `client_name`, or raise `InvalidClientMetadata`."""
    found = said.get("client_name", "")
    if not isinstance(found, str) or len(found) > _LONGEST_NAME or not found.isprintable():
        raise InvalidClientMetadata(f"client_name must be printable text of at most {_LONGEST_NAME} characters")
    return found.strip()


def _page(said: Metadata) -> str:
    found = said.get("client_uri")
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > _LONGEST or not found.isprintable():
        raise InvalidClientMetadata("client_uri must be a URL")
    try:
        return found if urlsplit(found).scheme == "https" else ""
    except ValueError:
        raise InvalidClientMetadata("client_uri must be a URL") from None


def _small(name: str, value: object) -> object:
    if isinstance(value, list) and len(value) <= _MOST_REDIRECTS:
        return [_small(name, one) for one in value if not isinstance(one, list)]
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise InvalidClientMetadata(f"{name} must be text of at most {_LONGEST} characters")
    return value


def _answer(client: Client, secret: str) -> dict[str, object]:
    """Say everything that is registered (RFC 7591 section 3.2.1).

    No `scope` among it: the client asks for what each request needs, so that it can step up later.
    """
    told_: dict[str, object] = {
        "client_id": client.id,
        "client_id_issued_at": int(client.created_at),
        "redirect_uris": list(client.redirect_uris),
        "grant_types": sorted(client.grant_types),
        "response_types": ["code"],
        "token_endpoint_auth_method": client.proof.value,
        **{name: value for name, value in client.metadata.items() if name != "scope"},
    }
    if client.name:
        told_["client_name"] = client.name
    if client.uri:
        told_["client_uri"] = client.uri
    if secret:
        # Required beside a secret; ours ends with the client, and using it moves that on.
        told_ |= {"client_secret": secret, "client_secret_expires_at": 0}
    return told_
