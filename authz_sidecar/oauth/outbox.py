"""What the sidecars have to be told: written with the change itself, and kept until each of them has heard it."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy import Row, and_, delete, func, insert, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from authz_sidecar.errors import AuthzError, BadRequest
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauth.tables import outbox
from authz_sidecar.ports import Clock, Revokes
from authz_sidecar.revocation import Kind, Revocation

_PAUSES: Final = (0.5, 1.0, 2.0, 5.0)
_AT_ONCE: Final = 500
_PATIENCE: Final = 2.0
"""Seconds that a caller waits until the sidecars that can be reached have heard."""

_BY: Final = "authz-sidecar oauth"


class Outbox:
    """Tells every target everything, at least once; to hear a revocation twice changes nothing."""

    def __init__(self, *, store: Store, issuer: str, targets: Mapping[str, Revokes], clock: Clock) -> None:
        """Take the targets by name; with none, nothing is kept."""
        self._store = store
        self._issuer = issuer
        self._targets = targets
        self._clock = clock
        self._patience = _PATIENCE
        self._pauses = _PAUSES
        self._log = structlog.stdlib.get_logger("authz_sidecar.oauth")
        self._turns = {name: asyncio.Lock() for name in targets}  # INVARIANT: one teller for each target

    async def add(
        self,
        db: AsyncConnection,
        *,
        kind: Kind,
        value: str,
        reason: str,
        ends: float,
        issued_before: float | None = None,
    ) -> None:
        """Write, in the transaction of the change, what is to be told."""
        rows = [
            {
                "id": secrets.token_hex(16),
                "target": name,
                "kind": kind.value,
                "value": value,
                "issued_before": issued_before,
                "ends": ends,
                "reason": reason,
                "created_at": self._clock(),
            }
            for name in self._targets
        ]
        if rows:
            await db.execute(insert(outbox), rows)

    async def flush(self) -> bool:
        """Tell what waits, for two seconds at most, and say whether everybody has heard everything; never raises."""
        told = await asyncio.gather(*(self._within(name) for name in self._targets))
        return all(told)

    async def waiting(self) -> dict[str, int]:
        """Count what each target has not heard yet."""
        async with self._store.read() as db:
            rows = await db.execute(select(outbox.c.target, func.count()).group_by(outbox.c.target))
        return dict.fromkeys(self._targets, 0) | {name: count for name, count in rows if name in self._targets}

    async def run(self) -> None:
        """Tell those who could not be reached, for ever; ends only when cancelled."""
        quiet = 0
        while True:
            await asyncio.sleep(self._pauses[min(quiet, len(self._pauses) - 1)])
            quiet = 0 if not await self.flush() else quiet + 1

    async def _within(self, name: str) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                return await self._tell(name)
        except TimeoutError:
            self._log.warning("revocation_not_told_yet", target=name, detail="no answer in time")
            return False
        except SQLAlchemyError as error:
            self._log.error("oauth_database_failed", target=name, detail=type(error).__name__)
            return False

    async def _tell(self, name: str) -> bool:
        """Tell everything that waits, the oldest first; what the target calls nonsense waits, and holds up nothing."""
        done, last = True, ("", -1.0)
        async with self._turns[name]:
            while rows := await self._next(name, last):
                for row in rows:
                    try:
                        done = await self._hand(name, row) and done
                    except AuthzError as error:
                        self._log.warning("revocation_not_told_yet", target=name, detail=str(error))
                        return False
                    last = (row.id, row.created_at)
        return done

    async def _next(self, name: str, last: tuple[str, float]) -> Sequence[Row[tuple[object, ...]]]:
        later = or_(outbox.c.created_at > last[1], and_(outbox.c.created_at == last[1], outbox.c.id > last[0]))
        waiting = select(outbox).where(outbox.c.target == name, later).order_by(outbox.c.created_at, outbox.c.id)
        async with self._store.read() as db:
            return (await db.execute(waiting.limit(_AT_ONCE))).all()

    async def _hand(self, name: str, row: Row[tuple[object, ...]]) -> bool:
        revocation = Revocation(
            issuer=self._issuer,
            kind=Kind(row.kind),
            value=row.value,
            issued_before=row.issued_before,
            ends=row.ends,
            reason=row.reason,
            by=_BY,
        )
        try:
            if row.ends > self._clock():  # beyond, every token that was meant has ended
                await self._targets[name].revoke(revocation)
        except BadRequest as error:
            self._log.error("revocation_refused", target=name, detail=str(error), revocation=str(revocation))
            return False
        async with self._store.write() as db:
            await db.execute(delete(outbox).where(outbox.c.id == row.id))
        return True
