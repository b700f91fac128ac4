"""Sessions of browsers: an opaque random id whose hash alone is kept."""

import hashlib
import re
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, select, update

from authz_sidecar.oauth.people.tables import accounts, sessions
from authz_sidecar.oauth.store import Store
from authz_sidecar.ports import Clock

IDLE_SECONDS: Final = 3_600.0
"""A session that nobody used for so long is over (NIST SP 800-63B section 2.2.3)."""
LIFE_SECONDS: Final = 43_200.0
"""No session lives longer, whatever its use."""
_NOTED_SECONDS: Final = 60.0
_MOST: Final = 20
_SYSTEMS: Final = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"))
_MORE_SYSTEMS: Final = (("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux"))
_BROWSERS: Final = re.compile(r"(Edg|OPR|Firefox|SamsungBrowser|Chrome|Safari)/")
_CALLED: Final = {"Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser in which somebody is logged in. Times are seconds since the epoch."""

    id: str
    """Names it on the account page; it opens nothing."""
    account: str
    browser: str
    auth_time: float
    """When the password was typed."""
    seen_at: float


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Take the database and a clock in seconds since the epoch."""
        self._store = store
        self._clock = clock

    async def begin(self, account: str, *, browser: str, instead_of: str = "") -> str:
        """Begin a session with a new secret, and give it; `instead_of` ends at once (session fixation).

        Somebody has at most 20; the ones that were not used for the longest time end.
        """
        secret, now = token_urlsafe(32), self._clock()
        times = {"auth_time": now, "seen_at": now, "expires_at": now + LIFE_SECONDS}
        names = {"hash": _hash(secret), "id": token_urlsafe(12), "account": account, "browser": described(browser)}
        newest = (
            select(sessions.c.hash)
            .where(sessions.c.account == account)
            .order_by(sessions.c.seen_at.desc())
            .limit(_MOST)
        )
        async with self._store.write() as db:
            await db.execute(insert(sessions).values(**names, **times))
            kept = (await db.execute(newest)).scalars().all()
            mine = sessions.c.account == account
            await db.execute(delete(sessions).where(sessions.c.hash == _hash(instead_of)))
            await db.execute(delete(sessions).where(mine & sessions.c.hash.not_in(kept)))
            await db.execute(delete(sessions).where(_over(now)))
        return secret

    async def find(self, secret: str) -> Session | None:
        """Give the session that is alive and whose account may log in, or None; notes that it was used."""
        if not secret or len(secret) > 64:
            return None
        now, key = self._clock(), _hash(secret)
        joined = sessions.join(accounts, accounts.c.name == sessions.c.account)
        alive = (sessions.c.hash == key) & ~accounts.c.disabled & ~_over(now)
        async with self._store.read() as db:
            row = (await db.execute(select(sessions).select_from(joined).where(alive))).mappings().first()
        if row is None:
            return None
        if now - row["seen_at"] > _NOTED_SECONDS:
            async with self._store.write() as db:
                await db.execute(update(sessions).where(sessions.c.hash == key).values(seen_at=now))
        return Session(**{name: row[name] for name in ("id", "account", "browser", "auth_time", "seen_at")})

    async def of(self, account: str) -> tuple[Session, ...]:
        """List the sessions of an account that are alive, the last used one first."""
        wanted = (sessions.c.account == account) & ~_over(self._clock())
        async with self._store.read() as db:
            rows = (await db.execute(select(sessions).where(wanted).order_by(sessions.c.seen_at.desc()))).mappings()
            names = ("id", "account", "browser", "auth_time", "seen_at")
            return tuple(Session(**{name: row[name] for name in names}) for row in rows)

    async def end(self, secret: str) -> None:
        """End this session; one that is over already stays so."""
        async with self._store.write() as db:
            await db.execute(delete(sessions).where(sessions.c.hash == _hash(secret)))

    async def end_one(self, account: str, name: str) -> None:
        """End a session by its id; nobody ends another's."""
        async with self._store.write() as db:
            await db.execute(delete(sessions).where((sessions.c.account == account) & (sessions.c.id == name)))

    async def end_others(self, account: str, secret: str) -> None:
        """End every session of the account but this one."""
        others = (sessions.c.account == account) & (sessions.c.hash != _hash(secret))
        async with self._store.write() as db:
            await db.execute(delete(sessions).where(others))


def described(agent: str) -> str:
    """Say a browser in a word or two; it is what the browser says of itself, and decides nothing."""
    system = next((word for sign, word in (*_SYSTEMS, *_MORE_SYSTEMS) if sign in agent), "")
    found = _BROWSERS.findall(agent)
    kind = next((name for name in ("Edg", "OPR", "SamsungBrowser", "Firefox", "Chrome", "Safari") if name in found), "")
    return ", ".join(filter(None, (_CALLED.get(kind, kind), system)))


def _over(now: float) -> ColumnElement[bool]:
    return (sessions.c.expires_at <= now) | (sessions.c.seen_at <= now - IDLE_SECONDS)


def _hash(secret: str) -> str:
    """256 random bits need no slow hash: nobody guesses one from its SHA-256."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
