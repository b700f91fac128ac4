"""The clients: in the database, or behind a URL that is their id."""

import json
from collections.abc import Sequence
from typing import Final, Protocol

from sqlalchemy import Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.people.tables import accounts
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauth.tables import clients, grants
from authz_sidecar.ports import Clock

_USE_TOLD_EVERY: Final = 3_600.0
"""Seconds: a busy client would else write a row at each request."""
_DOCUMENT: Final = "https://"
_LONGEST_ID: Final = 255
_ROOM_AFTER: Final = 3_600.0
_ROOM: Final = 100


class Documents(Protocol):
    """Knows clients by documents that they publish."""

    async def find(self, client_id: str) -> Client | None:
        """Give the client whose id is this URL; None when there is no such document, or it cannot be trusted."""
        ...


class Registry:
    """Keeps clients."""

    def __init__(self, *, store: Store, settings: Settings, clock: Clock, documents: Documents | None = None) -> None:
        """Take the database, and who reads documents; None accepts no URL as a client id."""
        self._store = store
        self._settings = settings
        self._clock = clock
        self._documents = documents

    async def find(self, client_id: str) -> Client | None:
        """Give a client that may be used now; None for one that nobody knows, or that is disabled or ended."""
        if not client_id.isprintable():
            return None  # PostgreSQL takes no NUL, and no id of ours has anything like it
        of_document = client_id.startswith(_DOCUMENT)
        if of_document and self._documents is None:
            return None
        async with self._store.read() as db:
            row = (await db.execute(select(clients).where(clients.c.id == client_id))).one_or_none()
        if of_document and self._documents is not None and (row is None or not row.disabled):
            return await self._documents.find(client_id)
        if row is None or row.disabled or (row.expires_at is not None and row.expires_at <= self._clock()):
            return None
        return _read(row)

    async def add(self, client: Client) -> None:
        """Keep a client; raises `ConfigError` when there is one of that id, or an account of that name."""
        now = self._clock()
        try:
            async with self._store.write() as db:
                # A token whose `sub` is its client is one that a client got for itself (RFC 9068 section 5).
                if (await db.execute(select(accounts.c.name).where(accounts.c.name == client.id))).first():
                    raise ConfigError(f"`{client.id}` is the name of an account; nobody could tell their tokens apart")
                await db.execute(insert(clients).values(**_row(client), created_at=now, used_at=now, disabled=False))
        except IntegrityError:
            raise ConfigError(f"there is a client `{client.id}` already") from None

    async def used(self, client: Client) -> None:
        """Let a client that registered itself live on; those that nobody uses end."""
        now = self._clock()
        if client.origin is not Origin.REGISTERED:
            return
        until = now + self._settings.registration_seconds
        if client.expires_at is not None and until - client.expires_at < _USE_TOLD_EVERY:
            return
        async with self._store.write() as db:
            await db.execute(update(clients).where(clients.c.id == client.id).values(used_at=now, expires_at=until))

    async def registered(self) -> int:
        """Count the clients that registered themselves and live."""
        alive = or_(clients.c.expires_at.is_(None), clients.c.expires_at > self._clock())
        async with self._store.read() as db:
            count = select(func.count()).where(clients.c.origin == Origin.REGISTERED.value, alive)
            return int((await db.execute(count)).scalar_one())

    async def make_room(self) -> None:
        """Forget some that registered themselves an hour ago or more and that nobody ever agreed to, the oldest first.

        So whoever registers without end drives out their own, and never an app that somebody uses.
        """
        held = select(grants.c.client_id)
        idle = [
            clients.c.origin == Origin.REGISTERED.value,
            clients.c.created_at < self._clock() - _ROOM_AFTER,
            clients.c.id.not_in(held),
        ]
        oldest = select(clients.c.id).where(*idle).order_by(clients.c.created_at).limit(_ROOM)
        async with self._store.write() as db:
            await db.execute(delete(clients).where(clients.c.id.in_(oldest)))

    async def list(self) -> Sequence[tuple[Client, bool]]:
        """Give every client in the database, and whether it is disabled, the latest first."""
        async with self._store.read() as db:
            rows = await db.execute(select(clients).order_by(clients.c.created_at.desc(), clients.c.id))
        return [(_read(row), bool(row.disabled)) for row in rows]

    async def disable(self, client_id: str, *, disabled: bool = True) -> bool:
        """Let a client do nothing any more, or again, and say whether there is one; its grants are not ours."""
        if await self._change(client_id, disabled=disabled):
            return True
        if not (disabled and client_id.startswith(_DOCUMENT) and client_id.isprintable()):
            return False
        # Its document lies elsewhere; what we keep of it is that nobody gets in by it.
        if len(client_id) > _LONGEST_ID:
            raise ConfigError(f"the id has more than {_LONGEST_ID} characters; `client_document_hosts` shuts it out")
        banned, now = Client(id=client_id, origin=Origin.DOCUMENT), self._clock()
        async with self._store.write() as db:
            await db.execute(insert(clients).values(**_row(banned), created_at=now, used_at=now, disabled=True))
        return True

    async def new_secret(self, client_id: str, secret_hash: str) -> bool:
        """Replace a client's secret, and say whether there is one that has any."""
        return await self._change(client_id, secret_hash=secret_hash, needs_secret=True)

    async def remove(self, client_id: str) -> bool:
        """Forget a client, and say whether there was one."""
        async with self._store.write() as db:
            gone = await db.execute(delete(clients).where(clients.c.id == client_id).returning(clients.c.id))
            return gone.one_or_none() is not None

    async def tidy(self) -> None:
        """Forget clients that registered themselves and that nobody used."""
        async with self._store.write() as db:
            await db.execute(delete(clients).where(clients.c.expires_at < self._clock()))

    async def _change(self, client_id: str, *, needs_secret: bool = False, **values: object) -> bool:
        wanted = [clients.c.id == client_id] + ([clients.c.secret_hash != ""] if needs_secret else [])
        async with self._store.write() as db:
            changed = await db.execute(update(clients).where(*wanted).values(**values).returning(clients.c.id))
            return changed.one_or_none() is not None


def _row(client: Client) -> dict[str, object]:
    return {
        "id": client.id,
        "origin": client.origin.value,
        "name": client.name,
        "uri": client.uri,
        "auth_method": client.proof.value,
        "secret_hash": client.secret_hash,
        "redirect_uris": json.dumps(client.redirect_uris),
        "grant_types": " ".join(sorted(client.grant_types)),
        "scope": " ".join(client.scope),
        "jwks": json.dumps([dict(key) for key in client.jwks]),
        "metadata": json.dumps(dict(client.metadata)),
        "expires_at": client.expires_at,
    }


def _read(row: Row[tuple[object, ...]]) -> Client:
    return Client(
        id=row.id,
        origin=Origin(row.origin),
        name=row.name,
        uri=row.uri,
        proof=Proof(row.auth_method),
        secret_hash=row.secret_hash,
        redirect_uris=tuple(json.loads(row.redirect_uris)),
        grant_types=frozenset(row.grant_types.split()),
        scope=tuple(row.scope.split()),
        jwks=tuple(json.loads(row.jwks or "[]")),
        metadata=json.loads(row.metadata),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
