"""A client as the operator enters it, at the command line or in a seed: a mistake is said at once.

Else it would be found at the first request, or by somebody who tries what should not be there.
"""

import re
from collections.abc import Sequence
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import clientjwks, opaque, redirects
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.flow_assertion import JWT_BEARER
from authz_sidecar.oauth.flow_client import CLIENT_CREDENTIALS
from authz_sidecar.oauth.flow_code import AUTHORIZATION_CODE
from authz_sidecar.oauth.flow_refresh import REFRESH_TOKEN
from authz_sidecar.oauth.redirects import RedirectError
from authz_sidecar.oauth.settings import Settings

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST_NAME: Final = 100
_ALONE: Final = frozenset({CLIENT_CREDENTIALS, JWT_BEARER})
_GRANTS: Final = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}) | _ALONE


def make(
    client_id: str,
    *,
    name: str = "",
    redirect_uris: Sequence[str] = (),
    secret: bool = False,
    jwks: bytes | None = None,
    for_itself: bool = False,
    identity_assertions: bool = False,
    scopes: Sequence[str] = (),
) -> tuple[Client, str]:
    """Give the client and its secret, empty for none; raises `ConfigError`."""
    if secret and jwks is not None:
        raise ConfigError("a client has a secret or keys, not both")
    fresh = opaque.make("cs") if secret else ""
    proof = Proof.PRIVATE_KEY if jwks is not None else Proof.BASIC if secret else Proof.NONE
    people = redirect_uris or not (for_itself or identity_assertions)
    grants = {AUTHORIZATION_CODE, REFRESH_TOKEN} if people else set[str]()
    grants |= {CLIENT_CREDENTIALS} if for_itself else set[str]()
    grants |= {JWT_BEARER} if identity_assertions else set[str]()
    client = Client(
        id=client_id,
        origin=Origin.CONFIGURED,
        name=name,
        proof=proof,
        secret_hash=opaque.digest(fresh) if fresh else "",
        redirect_uris=tuple(map(_redirect, redirect_uris)),
        grant_types=frozenset(grants),
        scope=tuple(scopes),
        jwks=() if jwks is None else _keys(jwks),
    )
    check(client)
    return client, fresh


def check(client: Client) -> None:
    """Raise `ConfigError` for a client that could do nothing, or more than it should."""
    if not _ID.fullmatch(client.id):
        raise ConfigError(f"`{client.id}` is not a client id: letters, digits, `.`, `_` and `-`, at most 128")
    if len(client.name) > _LONGEST_NAME or not client.name.isprintable():
        raise ConfigError(f"a client's name is printable and has at most {_LONGEST_NAME} characters")
    if strange := sorted(client.grant_types - _GRANTS):
        raise ConfigError(f"`{strange[0]}` is no grant type here; there are {', '.join(sorted(_GRANTS))}")
    if client.public and client.grant_types & _ALONE:
        raise ConfigError("a client that acts without a person has to prove itself: give it a secret or keys")
    if not client.redirect_uris and not client.grant_types <= _ALONE:
        raise ConfigError("a client for people needs a redirect URI")


def check_scopes(client: Client, settings: Settings) -> None:
    """Raise `ConfigError` when it may ask for a scope that nobody has."""
    known = {name for one in settings.resources for name in one.scope_names}
    if strange := [scope for scope in client.scope if scope not in known]:
        raise ConfigError(f"no resource has the scope `{strange[0]}`; `[oauth.scopes]` names those that there are")


def _redirect(uri: str) -> str:
    try:
        return redirects.check(uri)
    except RedirectError as error:
        raise ConfigError(f"the redirect URI `{uri}` {error}") from None


def _keys(jwks: bytes) -> clientjwks.Jwks:
    try:
        return clientjwks.parse(jwks)
    except clientjwks.JwksRefused as error:
        raise ConfigError(f"the file of keys {error}") from None
