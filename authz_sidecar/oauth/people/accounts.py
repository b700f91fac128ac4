"""Local accounts: a name, a password's hash, and the roles and groups that the policy names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from authz_sidecar.oauth.people.tables import accounts, sessions
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauth.tables import clients
from authz_sidecar.ports import Clock

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_MEMBERSHIP: Final = re.compile(r"[!-~]{1,128}")


class AccountProblem(ValueError):
    """An account cannot be made or changed like this; the message says why, for whoever administers them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who can log in. `name` is the `sub` of their tokens, so `user:NAME` in the policy."""

    name: str
    shown: str
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    disabled: bool = False
    created_at: float = 0.0
    password_at: float = 0.0
    """When the password was last set, in seconds since the epoch."""

    @property
    def title(self) -> str:
        """What a page calls them."""
        return self.shown or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """An account, and the hash that its password is compared with."""

    account: Account
    hash: str


class Accounts:
    """Keeps accounts in the database. Names are never used again: an account is disabled, not deleted."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Take the database and a clock in seconds since the epoch."""
        self._store = store
        self._clock = clock

    async def add(
        self, name: str, hashed: str, *, shown: str = "", roles: Iterable[str] = (), groups: Iterable[str] = ()
    ) -> Account:
        """Make an account; raises `AccountProblem`."""
        name = known_as(name)
        if not _NAME.fullmatch(name):
            raise AccountProblem(f"`{name}` is no account name: a-z, 0-9 and `._@+-`, at most 64")
        if len(shown) > 128 or not shown.isprintable():
            raise AccountProblem("a shown name is printable and has at most 128 characters")
        now = self._clock()
        row = {"name": name, "shown": shown, "password": hashed, "disabled": False}
        row |= {"roles": _joined(roles), "groups": _joined(groups), "created_at": now, "password_at": now}
        try:
            async with self._store.write() as db:
                # A token whose `sub` is its client is one that a client got for itself (RFC 9068 section 5).
                if (await db.execute(select(clients.c.id).where(clients.c.id == name))).first():
                    raise AccountProblem(f"`{name}` is the id of a client; nobody could tell their tokens apart")
                await db.execute(insert(accounts).values(row))
        except IntegrityError:
            raise AccountProblem(f"there is an account `{name}` already") from None
        found = await self.find(name)
        assert found is not None  # noqa: S101 - written a moment ago, and never deleted
        return found

    async def find(self, name: str) -> Account | None:
        """Give the account, or None."""
        lock = await self.lock(name)
        return lock.account if lock else None

    async def lock(self, name: str) -> Lock | None:
        """Give the account with its hash, disabled or not, or None."""
        if not _NAME.fullmatch(name):
            return None
        async with self._store.read() as db:
            row = (await db.execute(select(accounts).where(accounts.c.name == name))).mappings().first()
        return Lock(account=_account(row), hash=row["password"]) if row else None

    async def all(self) -> tuple[Account, ...]:
        """List the accounts by name."""
        async with self._store.read() as db:
            rows = (await db.execute(select(accounts).order_by(accounts.c.name))).mappings().all()
        return tuple(map(_account, rows))

    async def rehash(self, name: str, old: str, hashed: str) -> None:
        """Put a hash of the same password in the place of the old one, unless it was changed meanwhile."""
        same = (accounts.c.name == name) & (accounts.c.password == old)
        async with self._store.write() as db:
            await db.execute(update(accounts).where(same).values(password=hashed))

    async def set_password(self, name: str, hashed: str) -> Account:
        """Set a new password and end every session; raises `AccountProblem`."""
        return await self._change(name, end=True, password=hashed, password_at=self._clock())

    async def set_disabled(self, name: str, disabled: bool) -> Account:
        """Let nobody in by this account any more, or again; ends every session. Raises `AccountProblem`."""
        return await self._change(name, end=True, disabled=disabled)

    async def set_roles(self, name: str, roles: Iterable[str]) -> Account:
        """Set the roles, which tokens carry from their next issue on; raises `AccountProblem`."""
        return await self._change(name, end=False, roles=_joined(roles))

    async def set_groups(self, name: str, groups: Iterable[str]) -> Account:
        """Set the groups, as `set_roles`."""
        return await self._change(name, end=False, groups=_joined(groups))

    async def _change(self, name: str, *, end: bool, **values: object) -> Account:
        mine = accounts.c.name == known_as(name)
        async with self._store.write() as db:
            changed = await db.execute(update(accounts).where(mine).values(**values).returning(accounts))
            row = changed.mappings().first()
            if row is None:
                raise AccountProblem(f"there is no account `{name}`; `authz-sidecar oauth user list` lists them")
            if end:
                await db.execute(delete(sessions).where(sessions.c.account == row["name"]))
        return _account(row)


def known_as(typed: str) -> str:
    """Give the account name that somebody means: without spaces round it, in lower case."""
    return typed.strip().lower()


def is_name(text: str) -> bool:
    """Say whether an account could be called this."""
    return _NAME.fullmatch(text) is not None


def _joined(names: Iterable[str]) -> str:
    unique = sorted(set(names))
    for name in unique:
        if not _MEMBERSHIP.fullmatch(name):
            raise AccountProblem(f"`{name}` is no role or group: printable ASCII without spaces, at most 128")
    return " ".join(unique)


def _account(row: RowMapping) -> Account:
    return Account(
        name=row["name"],
        shown=row["shown"],
        roles=tuple(row["roles"].split()),
        groups=tuple(row["groups"].split()),
        disabled=bool(row["disabled"]),
        created_at=row["created_at"],
        password_at=row["password_at"],
    )
