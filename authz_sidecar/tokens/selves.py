"""How a token says that a client got it for itself, so that there is no user (RFC 6749 section 4.4)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from authz_sidecar.tokens.claims import Claims

Own = Callable[[Claims, str, str], bool]
"""Of claims, `sub` and the client's id: whether the client asked for itself."""


def _subject(_: Claims, subject: str, client: str) -> bool:
    """RFC 9068 section 2.2: `sub` is the client's id."""
    return subject == client


def _auth0(_: Claims, subject: str, client: str) -> bool:
    """Auth0 appends `@clients`; the subjects of its users have a `|`, client ids never."""
    return subject in (client, f"{client}@clients")


def _entra(claims: Claims, subject: str, _: str) -> bool:
    """Entra: `idtyp` says it when that optional claim is on.

    Otherwise a token of an app has no `scp`, and its `sub` is its own `oid`, while a user's `sub` is pairwise.
    """
    kind = claims.get("idtyp")
    if kind is not None:
        return kind == "app"
    return "scp" not in claims and claims.get("oid") == subject


def _keycloak(claims: Claims, _: str, client: str) -> bool:
    """Keycloak gives each client a user of its own, and writes `client_id` into its tokens and no others.

    Both are asked for: anybody may register a name that begins like a service account's.
    """
    return claims.get("preferred_username") == f"service-account-{client}" and claims.get("client_id") == client


OWN: Final[Mapping[str, Own]] = MappingProxyType(
    {"auth0": _auth0, "entra": _entra, "keycloak": _keycloak, "subject": _subject}
)
"""By what an issuer's `client_tokens` says."""
