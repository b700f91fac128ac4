"""From `[oauth]` of the configuration to the parts of the authorization server."""

import hashlib
import time
from collections.abc import Mapping, Sequence

from authz_sidecar.app.authplaces import database, folder, key_directory
from authz_sidecar.app.revocations import shared
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError, NotReady
from authz_sidecar.oauth import keyring as ring
from authz_sidecar.oauth import places
from authz_sidecar.oauth.clientkeys import PublishedKeys
from authz_sidecar.oauth.documents import DocumentClients, DocumentUnavailable, Fetched
from authz_sidecar.oauth.flow_assertion import IdentityProvider, Keys
from authz_sidecar.oauth.settings import Resource, Scope, Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauthknobs import TrustedProvider
from authz_sidecar.revocation import Kept, Receipt, Revocation
from authz_sidecar.server.telling import RemoteRevokes
from authz_sidecar.strictjson import StrictJsonError, loads
from authz_sidecar.tokens import urls
from authz_sidecar.tokens.fetch import Web
from authz_sidecar.tokens.guard import Guard
from authz_sidecar.tokens.pages import FetchFailed
from authz_sidecar.tokens.revocation_entry import encode
from authz_sidecar.tokens.revocation_share import SharedStore, StoreUnreachable

_KEYS_FOR = 300.0
_KEYS_AGAIN = 10.0
_DOCUMENT_LARGEST = 65_536


def settings(config: Config) -> Settings:
    """Translate the knobs; raises `ConfigError` when there is no authorization server."""
    given = config.oauth
    if not given.issuer:
        raise ConfigError(
            "`oauth.issuer` is missing: write the address at which browsers reach this server into the configuration, "
            'for example `[oauth]`, `issuer = "http://127.0.0.1:9400"` and `development = true` (docs/oauth.md)'
        )
    return Settings(
        issuer=given.issuer,
        resources=_resources(config),
        code_seconds=given.code_seconds,
        access_seconds=given.access_seconds,
        refresh_seconds=given.refresh_seconds,
        grant_seconds=given.grant_seconds,
        registration=given.registration,
        registration_seconds=given.registration_seconds,
        registrations_per_hour=given.registrations_per_hour,
        max_clients=given.max_clients,
        client_documents=given.client_documents,
        development=given.development,
    )


def _resources(config: Config) -> tuple[Resource, ...]:
    given = config.oauth
    scopes = {
        name: Scope(name=name, words={"en": words.en} | ({"ko": words.ko} if words.ko else {}))
        for name, words in given.scopes.items()
    }
    if given.resources:
        return tuple(
            Resource(uri=one.uri, name=one.name, scopes=tuple(scopes[name] for name in one.scopes))
            for one in given.resources
        )
    every = tuple(scopes.values())
    return tuple(Resource(uri=one.audience, name=one.name, scopes=every) for one in config.servers)


def prepare(config: Config) -> None:
    """Make the directories, and the first key, ours alone; raises `ConfigError` for what others could write."""
    try:
        for directory in (config.state, folder(config)):  # each by itself: `parents` would make them by the umask
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"{folder(config)}: {error.strerror}") from None
    keys, given = key_directory(config), config.oauth
    for directory in (config.state, folder(config), keys):
        places.check(directory)
    # What the operator named may be a directory of others, too; this one is ours alone.
    places.shut(folder(config))
    ring.ensure(keys, algorithm=given.algorithm, now=time.time(), development=given.development)
    places.check(keys / places.KEYS, secret=True)


def keyring(config: Config) -> ring.Keyring:
    """Open the signing keys; raises `ConfigError`."""
    return ring.Keyring(key_directory(config), clock=time.time)


def store(config: Config) -> Store:
    """Build what talks to the database; nothing is opened yet. Raises `ConfigError`."""
    given = config.oauth
    secret = config.at(given.database_password_file) if given.database_password_file else None
    try:
        password = None if secret is None else secret.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{secret}: cannot read the password of the database") from None
    return Store(database(config), password=password)


def targets(config: Config) -> dict[str, "RemoteRevokes | SharedRevokes"]:
    """Give everybody who is told of revocations, by a name that stays the same across restarts."""
    given = config.oauth
    sockets = [config.at(one) for one in given.sidecars] or [config.admin_socket]
    found: dict[str, RemoteRevokes | SharedRevokes] = {}
    if given.tell_sidecars:
        found = {str(socket): RemoteRevokes(socket) for socket in sockets}
    if config.revocation.redis:
        found["redis"] = SharedRevokes(shared(config))
    return found


class SharedRevokes:
    """A `Revokes` that writes into the store that all sidecars share."""

    def __init__(self, store: SharedStore) -> None:
        """Take the store."""
        self._store = store

    async def revoke(self, entry: Revocation) -> Receipt:
        """Write it down; the name is made of what is revoked, so that twice is once. Raises `NotReady`."""
        now = time.time()
        what = f"{entry.issuer}\n{entry.kind}\n{entry.value}\n{entry.issued_before}"
        kept = Kept(
            id=hashlib.sha256(what.encode()).hexdigest()[:32],
            epoch=0,
            revocation=entry,
            at=now,
            keep_until=(entry.ends or now + 86_400.0) + 300.0,
        )
        try:
            await self._store.add([(kept.id, encode(kept))])
        except StoreUnreachable as error:
            raise NotReady(f"the shared store of revocations: {error}") from None
        return Receipt(kept=kept)

    async def close(self) -> None:
        """Let go."""
        await self._store.close()


class Outside:
    """What the authorization server fetches: documents of strangers behind the guard, keys of whom we trust."""

    def __init__(self, config: Config) -> None:
        """Take the authorities; raises `ConfigError`."""
        self._config = config
        given = config.oauth
        self._web = Web(
            guard=Guard(), ca_file=config.at(given.ca_file) if given.ca_file else None, largest=_DOCUMENT_LARGEST
        )

    def documents(self) -> DocumentClients | None:
        """Give what finds clients by their documents; None when the operator wants none."""
        given = self._config.oauth
        if not given.client_documents:
            return None
        hosts = frozenset(host.lower() for host in given.client_document_hosts)
        return DocumentClients(fetch=self._document, clock=time.time, hosts=hosts)

    def published(self) -> PublishedKeys:
        """Give what finds the keys that clients publish."""
        return PublishedKeys(fetch=self._document, clock=time.time)

    def providers(self) -> tuple[IdentityProvider, ...]:
        """Give the identity providers."""
        return tuple(
            IdentityProvider(issuer=one.issuer, keys=self._keys(one), subject_claim=one.subject_claim)
            for one in self._config.oauth.identity_providers
        )

    async def close(self) -> None:
        """Let go."""
        await self._web.close()

    async def _document(self, url: str) -> Fetched:
        try:
            page = await self._web.get(urls.parse(url), foreign=True)
        except (FetchFailed, ValueError) as error:
            raise DocumentUnavailable(str(error)) from None
        return Fetched(headers=page.headers, body=page.body)

    def _keys(self, provider: TrustedProvider) -> Keys:
        kept: tuple[float, Sequence[Mapping[str, object]]] = (0.0, ())

        async def keys() -> Sequence[Mapping[str, object]]:
            nonlocal kept
            if kept[0] <= time.monotonic():
                found = await self._read_keys(provider)
                # A provider that does not answer is asked again soon, and its last keys go on until then.
                kept = (time.monotonic() + (_KEYS_FOR if found else _KEYS_AGAIN), found or kept[1])
            return kept[1]

        return keys

    async def _read_keys(self, provider: TrustedProvider) -> Sequence[Mapping[str, object]]:
        try:
            if provider.jwks_file:
                body = self._config.at(provider.jwks_file).read_bytes()
            else:
                body = (await self._web.get(urls.written(provider.jwks_uri))).body
            document = loads(body, max_depth=8)
        except (FetchFailed, OSError, StrictJsonError):
            return ()
        keys = document.get("keys") if isinstance(document, dict) else None
        return [one for one in keys if isinstance(one, dict)] if isinstance(keys, list) else ()
