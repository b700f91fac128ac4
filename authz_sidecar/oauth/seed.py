"""Clients of a seed file, for development: added when they are not there, never changed."""

from collections.abc import Mapping, Sequence
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import entry, opaque, redirects
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.clients import Registry
from authz_sidecar.oauth.redirects import RedirectError
from authz_sidecar.oauth.settings import Settings

_KEYS: Final = frozenset({"id", "name", "secret", "redirect_uris", "grant_types", "scopes"})
_SHORTEST_SECRET: Final = 32


async def sow(registry: Registry, settings: Settings, tables: Sequence[Mapping[str, object]]) -> None:
    """Add those that nobody knows yet; raises `ConfigError` for a table that is wrong, and then adds none."""
    for client in [_checked(_read(table), settings) for table in tables]:
        if await registry.find(client.id) is None:
            try:
                await registry.add(client)
            except ConfigError:
                if await registry.find(client.id) is None:
                    raise  # else another server that began at the same moment was quicker


def _checked(client: Client, settings: Settings) -> Client:
    try:
        entry.check(client)
        entry.check_scopes(client, settings)
    except ConfigError as error:
        raise ConfigError(f"clients: `{client.id}`: {error}") from None
    return client


def _read(table: Mapping[str, object]) -> Client:
    if strangers := sorted(table.keys() - _KEYS):
        raise ConfigError(f"clients: unknown key `{strangers[0]}`; known here: {', '.join(sorted(_KEYS))}")
    identity, name, secret = _text(table, "id"), _text(table, "name"), _text(table, "secret")
    if not identity:
        raise ConfigError("clients: `id` is missing")
    if secret and len(secret) < _SHORTEST_SECRET:
        raise ConfigError(f"clients: the secret of `{identity}` has fewer than {_SHORTEST_SECRET} characters")
    try:
        uris = tuple(redirects.check(uri) for uri in _words(table, "redirect_uris"))
    except RedirectError as error:
        raise ConfigError(f"clients: a redirect URI of `{identity}` {error}") from None
    return Client(
        id=identity,
        origin=Origin.CONFIGURED,
        name=name,
        proof=Proof.BASIC if secret else Proof.NONE,
        secret_hash=opaque.digest(secret) if secret else "",
        redirect_uris=uris,
        grant_types=frozenset(_words(table, "grant_types") or ("authorization_code", "refresh_token")),
        scope=_words(table, "scopes"),
    )


def _text(table: Mapping[str, object], key: str) -> str:
    found = table.get(key, "")
    if not isinstance(found, str) or not found.isprintable():
        raise ConfigError(f"clients: `{key}` must be text")
    return found


def _words(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one.isprintable() for one in found):
        raise ConfigError(f"clients: `{key}` must be a list of text")
    return tuple(found)
