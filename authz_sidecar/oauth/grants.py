"""Keeps grants: what people agreed to, and the codes and refresh tokens that were made of it.

A grant is the family of everything issued from one agreement; its id is the claim `grant_id` of its access tokens.
"""

import secrets
from collections.abc import Callable, Iterable
from typing import Final

from sqlalchemy import ColumnElement, Row, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from authz_sidecar.oauth import opaque
from authz_sidecar.oauth.authorize import AuthorizationRequest
from authz_sidecar.oauth.errors import InvalidGrant, OAuthError
from authz_sidecar.oauth.grant import Grant, Offered, Redeemed, Spent
from authz_sidecar.oauth.outbox import Outbox
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauth.tables import codes, grants, refresh_tokens, revoked_tokens
from authz_sidecar.ports import Clock
from authz_sidecar.revocation import Kind

CODE: Final = "ac"
REFRESH: Final = "rt"


class Grants:
    """Keeps grants. A revoked one stays until its last token would have ended, so that nothing brings it back."""

    def __init__(self, *, store: Store, settings: Settings, clock: Clock, outbox: Outbox) -> None:
        """Take the database, how long things live, and who tells the sidecars."""
        self._store = store
        self._settings = settings
        self._clock = clock
        self._outbox = outbox

    async def start(self, request: AuthorizationRequest, *, subject: str, scopes: Iterable[str], at: float) -> str:
        """Write down a grant, and give its authorization code; only its hash is kept."""
        now, code = self._clock(), opaque.make(CODE)
        grant_id = secrets.token_urlsafe(16)
        async with self._store.write() as db:
            await db.execute(
                insert(grants).values(
                    id=grant_id,
                    client_id=request.client.id,
                    client_name=request.client.title[:255],
                    subject=subject,
                    resource=request.resource.uri,
                    scopes=" ".join(scopes),
                    auth_time=at,
                    created_at=now,
                    used_at=now,
                    expires_at=now + self._settings.grant_seconds,
                )
            )
            await db.execute(
                insert(codes).values(
                    hash=opaque.digest(code),
                    grant_id=grant_id,
                    redirect_uri=request.redirect_uri,
                    redirect_given=request.redirect_given,
                    challenge=request.code_challenge,
                    expires_at=now + self._settings.code_seconds,
                )
            )
        return code

    async def redeem(self, code: str, check: Callable[[Spent], None], *, refresh: bool) -> Redeemed:
        """Spend a code and make its first refresh token, both or neither; of any number who try at once, one succeeds.

        `check` compares what the code is bound to and raises `OAuthError`. The code is spent then too, so that nobody
        guesses twice, and its family revoked: a code that turns up in the wrong hands has leaked. Whoever comes with
        a spent one has it from somewhere, so its family is revoked (RFC 6749 section 4.1.2). Raises `InvalidGrant`.
        """
        failed: OAuthError | None = None
        async with self._store.write() as db:
            spent, why = await self._spend(db, opaque.digest(code))
            if spent is not None:
                try:
                    check(spent)
                    return Redeemed(
                        grant=spent.grant,
                        refresh_token=await self._make_refresh(db, spent.grant, spent.grant.scopes)
                        if refresh
                        else None,
                    )
                except OAuthError as error:
                    failed = error
                    await self._revoke(db, [spent.grant.id], "code_misused")
        await self._outbox.flush()
        raise failed or InvalidGrant("the authorization code is unknown, expired or used", log=why)

    async def offered_code(self, code: str) -> Spent | None:
        """Look at a code without spending it; None, and its family revoked, for one that is spent."""
        async with self._store.read() as db:
            found = (await db.execute(select(codes).where(codes.c.hash == opaque.digest(code)))).one_or_none()
            row = None if found is None else await _grant(db, found.grant_id)
        if found is not None and found.spent_at is not None:
            await self.revoke(found.grant_id, "code_replayed")
            return None
        if found is None or row is None or found.expires_at <= self._clock() or not self._counts(row):
            return None
        return _bound(found, row)

    async def _spend(self, db: AsyncConnection, key: str) -> tuple[Spent | None, str]:
        now = self._clock()
        taken = (
            await db.execute(
                update(codes)
                .where(codes.c.hash == key, codes.c.spent_at.is_(None), codes.c.expires_at > now)
                .values(spent_at=now)
                .returning(codes)
            )
        ).one_or_none()
        found = taken or (await db.execute(select(codes).where(codes.c.hash == key))).one_or_none()
        if found is None:
            return None, "nobody knows it"
        if taken is None:
            if found.spent_at is None:
                return None, "it has expired"
            await self._revoke(db, [found.grant_id], "code_replayed")
            return None, "it was used before"
        row = await _grant(db, taken.grant_id)
        if row is None or not self._counts(row):
            return None, "its grant is revoked or over"
        return _bound(taken, row), ""

    async def offered(self, token: str) -> Offered:
        """Look at a refresh token without spending it; raises `InvalidGrant`, and revokes the family of a spent one."""
        key = opaque.digest(token)
        async with self._store.read() as db:
            found = (await db.execute(select(refresh_tokens).where(refresh_tokens.c.hash == key))).one_or_none()
            row = None if found is None else await _grant(db, found.grant_id)
        if found is not None and found.spent_at is not None:
            await self.revoke(found.grant_id, "refresh_replayed")
        if found is None or row is None or found.spent_at is not None or found.expires_at <= self._clock():
            raise InvalidGrant(
                "the refresh token is unknown, expired or used", log="nobody knows it, or it is spent or over"
            )
        if not self._counts(row):
            raise InvalidGrant("the refresh token is unknown, expired or used", log="its grant is revoked or over")
        return Offered(grant=_read(row), scopes=tuple(found.scopes.split()))

    async def rotate(self, token: str, grant: Grant, scopes: Iterable[str]) -> str:
        """Spend a refresh token for its successor; of any number who try at once, one succeeds.

        `scopes` are what the successor may ask for. Raises `InvalidGrant`, and then the family is revoked.
        """
        key, now = opaque.digest(token), self._clock()
        async with self._store.write() as db:
            taken = (
                await db.execute(
                    update(refresh_tokens)
                    .where(
                        refresh_tokens.c.hash == key,
                        refresh_tokens.c.spent_at.is_(None),
                        refresh_tokens.c.expires_at > now,
                        refresh_tokens.c.grant_id.in_(select(grants.c.id).where(_alive(now))),
                    )
                    .values(spent_at=now)
                    .returning(refresh_tokens.c.grant_id)
                )
            ).one_or_none()
            if taken is not None:
                await db.execute(update(grants).where(grants.c.id == grant.id).values(used_at=now))
                return await self._make_refresh(db, grant, scopes)
        await self.revoke(grant.id, "refresh_replayed")
        raise InvalidGrant("the refresh token is unknown, expired or used", log="spent by another at the same moment")

    async def of_refresh(self, token: str) -> Grant | None:
        """Give the grant that a refresh token came from, whether either counts or not; None for an unknown token."""
        key = opaque.digest(token)
        async with self._store.read() as db:
            found = select(grants).join(refresh_tokens).where(refresh_tokens.c.hash == key)
            row = (await db.execute(found)).one_or_none()
        return None if row is None else _read(row)

    async def find(self, grant_id: str) -> Grant | None:
        """Give a grant that counts; None for one that is revoked, over or unknown."""
        async with self._store.read() as db:
            row = await _grant(db, grant_id)
        return None if row is None or not self._counts(row) else _read(row)

    async def of(self, subject: str) -> tuple[Grant, ...]:
        """Give what somebody granted and what counts, the latest first."""
        async with self._store.read() as db:
            rows = await db.execute(
                select(grants)
                .where(grants.c.subject == subject, _alive(self._clock()))
                .order_by(grants.c.created_at.desc())
            )
        return tuple(map(_read, rows))

    async def revoke(self, grant_id: str, why: str) -> None:
        """Revoke a grant with everything that was issued from it, and tell the sidecars; a second time does nothing."""
        async with self._store.write() as db:
            await self._revoke(db, [grant_id], why)
        await self._outbox.flush()

    async def revoke_all(self, subject: str, why: str, *, client_id: str | None = None) -> int:
        """Revoke what somebody granted, to one client or to all, and say how many grants that were.

        Without a client, tokens that have no grant (of an identity assertion) are revoked too.
        """
        if client_id is None:
            return await self._revoke_where(grants.c.subject == subject, why, also=(Kind.SUBJECT, subject))
        return await self._revoke_where(and_(grants.c.subject == subject, grants.c.client_id == client_id), why)

    async def revoke_client(self, client_id: str, why: str) -> int:
        """Revoke whatever a client holds, and say how many grants that were."""
        return await self._revoke_where(grants.c.client_id == client_id, why, also=(Kind.CLIENT, client_id))

    async def tidy(self) -> None:
        """Forget grants that are over, once no token of theirs can live, and refresh tokens whose time is over."""
        now = self._clock()
        dead = now - 2 * self._settings.access_seconds
        async with self._store.write() as db:
            await db.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at < now))
            await db.execute(delete(grants).where(grants.c.expires_at < dead))
            await db.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at < now))

    async def _revoke_where(self, wanted: ColumnElement[bool], why: str, also: tuple[Kind, str] | None = None) -> int:
        now = self._clock()
        async with self._store.write() as db:
            # In one order, or two at once could wait for each other in PostgreSQL.
            ids = select(grants.c.id).where(wanted, _alive(now)).order_by(grants.c.id)
            found = [row.id for row in await db.execute(ids)]
            await self._revoke(db, found, why)
            if also is not None:
                ends = now + 2 * self._settings.access_seconds
                await self._outbox.add(db, kind=also[0], value=also[1], issued_before=now, ends=ends, reason=why)
        await self._outbox.flush()
        return len(found)

    async def _revoke(self, db: AsyncConnection, ids: list[str], why: str) -> None:
        """Revoke, and write what is to be told in the same transaction: a crash loses both or neither."""
        now = self._clock()
        for grant_id in ids:
            changed = await db.execute(
                update(grants)
                .where(grants.c.id == grant_id, grants.c.revoked_at.is_(None))
                .values(revoked_at=now, revoked_why=why)
                .returning(grants.c.id)
            )
            if changed.one_or_none() is not None:
                # No access token of it lives longer; one may be being signed at this very moment.
                await self._outbox.add(
                    db, kind=Kind.FAMILY, value=grant_id, ends=now + 2 * self._settings.access_seconds, reason=why
                )

    async def _make_refresh(self, db: AsyncConnection, grant: Grant, scopes: Iterable[str]) -> str:
        token, now = opaque.make(REFRESH), self._clock()
        await db.execute(
            insert(refresh_tokens).values(
                hash=opaque.digest(token),
                grant_id=grant.id,
                scopes=" ".join(scopes),
                created_at=now,
                expires_at=min(now + self._settings.refresh_seconds, grant.expires_at),
            )
        )
        return token

    def _counts(self, row: Row[tuple[object, ...]]) -> bool:
        return row.revoked_at is None and row.expires_at > self._clock()


def _alive(now: float) -> ColumnElement[bool]:
    return and_(grants.c.revoked_at.is_(None), grants.c.expires_at > now)


async def _grant(db: AsyncConnection, grant_id: str) -> Row[tuple[object, ...]] | None:
    return (await db.execute(select(grants).where(grants.c.id == grant_id))).one_or_none()


def _read(row: Row[tuple[object, ...]]) -> Grant:
    return Grant(
        id=row.id,
        client_id=row.client_id,
        client_name=row.client_name,
        subject=row.subject,
        resource=row.resource,
        scopes=tuple(row.scopes.split()),
        auth_time=row.auth_time,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )


def _bound(code: Row[tuple[object, ...]], grant: Row[tuple[object, ...]]) -> Spent:
    return Spent(
        grant=_read(grant),
        redirect_uri=code.redirect_uri,
        redirect_given=code.redirect_given,
        challenge=code.challenge,
        expires_at=code.expires_at,
    )
