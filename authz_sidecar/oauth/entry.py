"""A client as the operator enters it: checked, so that a mistake is said at once and not at the first request."""

import re
from collections.abc import Sequence
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import clientjwks, opaque, redirects
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.flow_assertion import JWT_BEARER
from authz_sidecar.oauth.flow_client import CLIENT_CREDENTIALS
from authz_sidecar.oauth.redirects import RedirectError

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST_NAME: Final = 100


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
    if not _ID.fullmatch(client_id):
        raise ConfigError(f"`{client_id}` is not a client id: letters, digits, `.`, `_` and `-`, at most 128")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"a client's name is printable and has at most {_LONGEST_NAME} characters")
    if secret and jwks is not None:
        raise ConfigError("a client has a secret or keys, not both")
    if (for_itself or identity_assertions) and not secret and jwks is None:
        raise ConfigError("a client that acts without a person has to prove itself: give it a secret or keys")
    if not redirect_uris and not for_itself and not identity_assertions:
        raise ConfigError("a client for people needs a redirect URI")
    fresh = opaque.make("cs") if secret else ""
    proof = Proof.PRIVATE_KEY if jwks is not None else Proof.BASIC if secret else Proof.NONE
    grants = {"authorization_code", "refresh_token"} if redirect_uris else set[str]()
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
    return client, fresh


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
