"""What people agreed to: a client, a resource, its scopes, and the place that the answer went to."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from authz_sidecar.oauth.people.tables import consents
from authz_sidecar.oauth.store import Store
from authz_sidecar.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a consent is about."""

    account: str
    client_id: str
    resource: str
    place: str
    """Where the answer goes, as `places.place` says it: another place is another question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent that was given. Times are seconds since the epoch."""

    asked: Asked
    client_name: str
    scopes: tuple[str, ...]
    created_at: float
    used_at: float


class Consents:
    """Remembers consents; a wider request is not covered by a narrower one."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Take the database and a clock in seconds since the epoch."""
        self._store = store
        self._clock = clock

    async def scopes(self, asked: Asked) -> frozenset[str] | None:
        """Give the scopes that were agreed to; None when this was never asked, or withdrawn."""
        async with self._store.read() as db:
            return await _scopes(db, asked)

    async def remember(self, asked: Asked, scopes: Iterable[str], *, client_name: str) -> None:
        """Add scopes to what was agreed to, and note the use."""
        with suppress(IntegrityError):
            return await self._remember(asked, scopes, client_name)
        # The same was agreed to in another tab a moment ago; now it is there.
        return await self._remember(asked, scopes, client_name)

    async def _remember(self, asked: Asked, scopes: Iterable[str], client_name: str) -> None:
        now, key = self._clock(), _hash(asked)
        async with self._store.write() as db:
            known = await _scopes(db, asked, lock=True)
            joined = " ".join(sorted({*scopes, *(known or ())}))
            values: dict[str, object] = {"scopes": joined, "used_at": now, "client_name": client_name[:255]}
            if known is None:
                await db.execute(insert(consents).values(**_parts(asked), **values, hash=key, created_at=now))
            else:
                await db.execute(update(consents).where(consents.c.hash == key).values(values))

    async def of(self, account: str) -> tuple[Consent, ...]:
        """List what somebody agreed to, the last used first."""
        wanted = select(consents).where(consents.c.account == account).order_by(consents.c.used_at.desc())
        async with self._store.read() as db:
            rows = (await db.execute(wanted)).mappings().all()
        return tuple(
            Consent(
                asked=Asked(**{name: row[name] for name in ("account", "client_id", "resource", "place")}),
                client_name=row["client_name"],
                scopes=tuple(row["scopes"].split()),
                created_at=row["created_at"],
                used_at=row["used_at"],
            )
            for row in rows
        )

    async def forget(self, account: str, client_id: str) -> None:
        """Forget all that somebody agreed to with a client."""
        mine = (consents.c.account == account) & (consents.c.client_id == client_id)
        async with self._store.write() as db:
            await db.execute(delete(consents).where(mine))


async def _scopes(db: AsyncConnection, asked: Asked, *, lock: bool = False) -> frozenset[str] | None:
    wanted = select(consents.c.scopes).where(consents.c.hash == _hash(asked))
    # Locked until it is written back, or another tab's yes would be lost; SQLite has one writer anyway.
    found = (await db.execute(wanted.with_for_update() if lock else wanted)).scalar_one_or_none()
    return None if found is None else frozenset(found.split())


def _parts(asked: Asked) -> dict[str, str]:
    return {"account": asked.account, "client_id": asked.client_id, "resource": asked.resource, "place": asked.place}


def _hash(asked: Asked) -> str:
    """Name a consent by its parts, each with its length: no two are joined to the same text."""
    parts = (value.encode(errors="surrogatepass") for value in _parts(asked).values())
    return hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).hexdigest()
