"""The keys that clients publish at a URL (`jwks_uri`): fetched when one is needed, and kept for a while."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from authz_sidecar.oauth.clientjwks import Jwks, JwksRefused, parse
from authz_sidecar.oauth.documents import DocumentUnavailable, Fetch, kept_for
from authz_sidecar.oauth.limit import Limit
from authz_sidecar.ports import Clock

COOL_DOWN: Final = 30.0
"""Seconds between two fetches of one page, whatever was wrong with the first."""
STALE_FOR: Final = 3_600.0
"""Seconds that keys go on when their page does not answer any more."""
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What a page said, and when it may be asked again."""

    keys: Jwks = ()
    until: float = 0.0
    again: float = 0.0


class PublishedKeys:
    """Finds the keys of clients.

    INVARIANT: strangers, who name any URL and any key, cause one fetch of a page in `COOL_DOWN` seconds, and no more
    than `per_minute` of all pages.
    """

    def __init__(self, *, fetch: Fetch, clock: Clock, per_minute: int = 120) -> None:
        """Take what fetches: from public addresses alone."""
        self._fetch = fetch
        self._clock = clock
        self._limit = Limit(per_minute, seconds=60.0, clock=clock)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._log = structlog.stdlib.get_logger("authz_sidecar.oauth")

    async def find(self, url: str, *, fits: Callable[[Jwks], bool]) -> Jwks:
        """Give the keys of a page; a fresh look is taken for what is old, or does not fit. None of them: empty."""
        kept = self._kept.get(url, _Kept())
        now = self._clock()
        if (kept.until <= now or not fits(kept.keys)) and (kept.again <= now or url in self._busy):
            await self._look(url)
            kept = self._kept.get(url, kept)
        return kept.keys if self._clock() < kept.until + STALE_FOR else ()

    async def _look(self, url: str) -> None:
        task = self._busy.get(url)
        if task is None:
            if not self._limit.take(""):
                self._log.warning("client_keys_refused", url=url, detail="too many were asked for this minute")
                return
            task = self._busy[url] = asyncio.create_task(self._load(url))
            task.add_done_callback(lambda _: self._busy.pop(url, None))
        # Whoever asked first may go away; the others still wait for the answer.
        await asyncio.shield(task)

    async def _load(self, url: str) -> None:
        last = self._kept.get(url, _Kept())
        keys, until = last.keys, last.until
        try:
            fetched = await self._fetch(url)
            keys, seconds = parse(fetched.body), kept_for(fetched.headers)
            until = self._clock() + seconds
        except (DocumentUnavailable, JwksRefused) as error:
            self._log.warning("client_keys_refused", url=url, detail=str(error))
        self._kept[url] = _Kept(keys=keys, until=until, again=self._clock() + COOL_DOWN)
        self._kept.move_to_end(url)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
