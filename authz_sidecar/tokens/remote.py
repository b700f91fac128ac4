"""The keys of an issuer on the web: fetched in the background, kept through outages, never on a stranger's demand.

INVARIANT: at most one fetch is under way, and unknown `kid`s cause at most one in `COOL_DOWN` seconds; that one never
moves the scheduled ones.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from authz_sidecar.tokens.jwks import Source
from authz_sidecar.tokens.keyset import Key
from authz_sidecar.tokens.news import KeyNews, Tell
from authz_sidecar.tokens.pages import FetchFailed, Outcome
from authz_sidecar.tokens.ring import Change, Monotonic, Ring

COOL_DOWN: Final = 30.0
"""Seconds between two fetches for unknown `kid`s."""
PATIENCE: Final = 2.0
"""Seconds that a question waits for keys."""

_FIRST_RETRY: Final = 1.0
_LAST_RETRY: Final = 60.0

Sleep = Callable[[float], Awaitable[None]]


class RemoteKeys:
    """Keys from a `Source`; a `Keys`."""

    def __init__(
        self,
        *,
        alias: str,
        source: Source,
        ring: Ring,
        max_age: float,
        tell: Tell,
        monotonic: Monotonic,
        sleep: Sleep = asyncio.sleep,
        patience: float = PATIENCE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Take the source and the ring to fill; `jitter` gives numbers from 0 to 1."""
        self._alias, self._source, self._ring, self._tell = alias, source, ring, tell
        self._max_age = max_age
        self._monotonic, self._sleep, self._patience, self._jitter = monotonic, sleep, patience, jitter
        self._fetching: asyncio.Task[float | None] | None = None
        self._cool_until = -COOL_DOWN
        self.trouble = ""
        """Why the last fetch failed; empty when it did not."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """Give the keys that were read last, whatever their age."""
        return self._ring.keys

    @property
    def epoch(self) -> int:
        """Grows whenever a key is taken away."""
        return self._ring.epoch

    @property
    def age(self) -> float | None:
        """Give the seconds since the issuer confirmed the keys; None before the first time."""
        return self._ring.age

    @property
    def good_for(self) -> float:
        """Give the seconds for which what these keys verified may be remembered."""
        return self._ring.good_for

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Give the key that a token means, or raise `TokenError`."""
        return self._ring.find(kid, algorithm)

    async def seek(self) -> bool:
        """Look for keys that are not known yet, and say whether any change came; waits `patience` seconds at most."""
        if self._fetching is None:
            now = self._monotonic()
            if now < self._cool_until:
                return False
            self._cool_until = now + COOL_DOWN
        version, could = self._ring.version, self._ring.good_for > 0
        await asyncio.wait({self._fetch()}, timeout=self._patience)
        return self._ring.version != version or (self._ring.good_for > 0) is not could

    async def run(self) -> None:
        """Fetch now and whenever the keys need it; ends only when cancelled."""
        failures = 0
        try:
            while True:
                lifetime = await asyncio.shield(self._fetch())
                if self._ring.expire():
                    self._say(Outcome.FAILED, detail="the keys are too old and verify nothing until they are fetched")
                failures = 0 if lifetime is not None else failures + 1
                await self._sleep(self._pause(lifetime, failures))
        finally:
            if self._fetching is not None:
                self._fetching.cancel()

    def _pause(self, lifetime: float | None, failures: int) -> float:
        """Give the seconds until the next fetch: many sidecars must not ask at the same moment."""
        if lifetime is None:
            most = min(_FIRST_RETRY * 2.0 ** (failures - 1), _LAST_RETRY) if failures < 10 else _LAST_RETRY
            return most * (0.5 + self._jitter() / 2)
        # At half the age limit at the latest, so that one outage does not take the keys away.
        return min(lifetime, self._max_age / 2) * (0.8 + self._jitter() / 5)

    def _fetch(self) -> "asyncio.Task[float | None]":
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._load(), name=f"keys of {self._alias}")
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    def _fetched(self, _: "asyncio.Task[float | None]") -> None:
        self._fetching = None

    async def _load(self) -> float | None:
        """Fetch once and give the seconds until it makes sense again; None when it failed."""
        try:
            loaded = await self._source.load()
        except FetchFailed as error:
            self._say(error.outcome, detail=str(error))
            return None
        except Exception as error:  # noqa: BLE001 - the background task outlives every error; it is counted and told
            self._say(Outcome.FAILED, detail=type(error).__name__)
            return None
        change = self._ring.replace(loaded.keys)
        outcome = Outcome.UNCHANGED if loaded.unchanged else Outcome.FETCHED
        self._say(outcome, change=change, ignored=loaded.keys.ignored)
        return loaded.lifetime

    def _say(
        self, outcome: Outcome, *, detail: str = "", change: Change | None = None, ignored: tuple[str, ...] = ()
    ) -> None:
        self.trouble = detail
        change = change or Change()
        self._tell(
            KeyNews(
                issuer=self._alias,
                outcome=outcome,
                detail=detail,
                added=change.added,
                removed=change.removed,
                ignored=ignored,
                keys=len(self._ring.keys),
            )
        )
