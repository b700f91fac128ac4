"""What the server says about itself (RFC 8414, and the same where OpenID Connect looks for it)."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from authz_sidecar.oauth.assertions import SIGNED_WITH
from authz_sidecar.oauth.client import Proof
from authz_sidecar.oauth.flow_assertion import ID_JAG, JWT_BEARER
from authz_sidecar.oauth.keyring import Keyring
from authz_sidecar.oauth.replies import public, speaking
from authz_sidecar.oauth.settings import Settings

_KEYS_FOR = 60
"""Seconds that others may keep our keys; a rotation publishes a key long before it signs."""


def document(settings: Settings, *, grant_types: Sequence[str], algorithms: Sequence[str]) -> dict[str, object]:
    """Give the metadata."""
    secret_proofs = [Proof.BASIC.value, Proof.POST.value, Proof.PRIVATE_KEY.value]
    signed = list(SIGNED_WITH)
    told: dict[str, object] = {
        "issuer": settings.issuer,
        "authorization_endpoint": settings.endpoint("authorize"),
        "token_endpoint": settings.endpoint("token"),
        "jwks_uri": settings.endpoint("jwks"),
        "revocation_endpoint": settings.endpoint("revoke"),
        "introspection_endpoint": settings.endpoint("introspect"),
        "scopes_supported": list(dict.fromkeys(name for one in settings.resources for name in one.scope_names)),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(grant_types),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [Proof.NONE.value, *secret_proofs],
        "token_endpoint_auth_signing_alg_values_supported": signed,
        "revocation_endpoint_auth_methods_supported": [Proof.NONE.value, *secret_proofs],
        "revocation_endpoint_auth_signing_alg_values_supported": signed,
        "introspection_endpoint_auth_methods_supported": secret_proofs,
        "introspection_endpoint_auth_signing_alg_values_supported": signed,
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": settings.client_documents,
        "protected_resources": [one.uri for one in settings.resources],
        "ui_locales_supported": ["en", "ko"],
        "request_uri_parameter_supported": False,
        # OpenID Connect Discovery section 3 asks for these two; no ID token is ever issued.
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(algorithms),
    }
    if settings.registration:
        told["registration_endpoint"] = settings.endpoint("register")
    if JWT_BEARER in grant_types:
        told["authorization_grant_profiles_supported"] = [ID_JAG]
    return told


def routes(settings: Settings, keyring: Keyring, *, grant_types: Sequence[str]) -> list[Route]:
    """Give the well-known places of an issuer, with a path or without, and the keys.

    RFC 8414 section 3.1 puts the path of the issuer behind the well-known part, OpenID Connect before it.
    """

    async def describe(_: Request) -> Response:
        return public(document(settings, grant_types=grant_types, algorithms=keyring.algorithms))

    async def keys(_: Request) -> Response:
        return public(keyring.jwks(), seconds=_KEYS_FOR)

    places = {
        f"/.well-known/oauth-authorization-server{settings.path}",
        f"/.well-known/openid-configuration{settings.path}",
        f"{settings.path}/.well-known/openid-configuration",
    }
    told = {**dict.fromkeys(sorted(places), describe), f"{settings.path}/jwks": keys}
    return [Route(place, speaking("metadata", said), methods=["GET", "OPTIONS"]) for place, said in told.items()]
