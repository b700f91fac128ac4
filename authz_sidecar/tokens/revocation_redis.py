"""A shared store of revocations in Redis: a hash of all, and a stream of news."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens.revocation_share import Entry, StoreUnreachable

_BLOCK_MS: Final = 500
_TIMEOUT: Final = 2.0
_NEWS_KEPT: Final = 100_000
_PART: Final = 1_000

# The braces put all keys on one node of a cluster.
_ENTRIES: Final = "{authz:revocations}:entries"
_NEWS: Final = "{authz:revocations}:news"
_HORIZONS: Final = "{authz:revocations}:horizons"
_MEMORY: Final = "{authz:revocations}:memory"


class RedisStore:
    """A `SharedStore`. An entry stands in the hash until it may be forgotten; the stream only wakes readers up.

    INVARIANT: the place in the stream is taken before the hash is read, so that nothing falls between them.
    """

    def __init__(self, url: str, *, password: str | None = None, ca_file: Path | None = None) -> None:
        """Take where it is; nothing is connected yet. Raises `ConfigError`."""
        options: dict[str, Any] = {"password": password} if password else {}
        if url.startswith("rediss:"):
            options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
            if ca_file:
                options["ssl_ca_certs"] = str(ca_file)
        try:
            # Retries are ours, since how long the store has been silent decides what may be answered.
            self._redis: Any = Redis.from_url(  # its stubs cannot say that everything is bytes here
                url,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
                **options,
            )
        except ValueError as error:
            raise ConfigError(f"`revocation.redis`: {error}") from None
        self._memory = b""
        self._last: bytes | str = "0-0"

    async def begin(self) -> None:
        """Connect; `news` begins here."""
        async with _reaching():
            await self._redis.set(_MEMORY, token_hex(16), nx=True)
            self._memory = await self._redis.get(_MEMORY)
            newest = await self._redis.xrevrange(_NEWS, count=1)
            self._last = newest[0][0] if newest else "0-0"

    async def everything(self) -> AsyncGenerator[Sequence[Entry], None]:
        """Give every entry, in parts."""
        place = 0
        while True:
            async with _reaching():
                place, part = await self._redis.hscan(_ENTRIES, place, count=_PART)
            yield [(_text(name), entry) for name, entry in part.items()]
            if place == 0:
                return

    async def news(self) -> Sequence[Entry] | None:
        """Wait up to half a second for entries that are new; None when the store lost its memory."""
        async with _reaching():
            found = await self._redis.xread({_NEWS: self._last}, count=_PART, block=_BLOCK_MS)
            # Emptied, or a replica took over that had not heard everything: what it lost, somebody must tell it.
            if not self._memory or await self._redis.get(_MEMORY) != self._memory:
                return None
        entries: list[Entry] = []
        for place, fields in _messages(found):
            self._last = place
            entries += [(_text(name), entry) for name, entry in fields.items()]
        return entries

    async def add(self, entries: Sequence[Entry]) -> None:
        """Add entries and tell everybody, all or none."""
        async with _reaching(), self._redis.pipeline(transaction=True) as pipe:
            for name, entry in entries:
                pipe.hset(_ENTRIES, name, entry)
                pipe.xadd(_NEWS, {name: entry}, maxlen=_NEWS_KEPT, approximate=True)
            await pipe.execute()

    async def horizons(self) -> Mapping[str, float]:
        """Give what stands in for forgotten entries."""
        async with _reaching():
            found = await self._redis.zrange(_HORIZONS, 0, -1, withscores=True)
        return {_text(issuer): float(at) for issuer, at in found}

    async def drop(self, names: Sequence[str], horizons: Mapping[str, float]) -> None:
        """Drop forgotten entries, and keep the later horizons; all or none."""
        async with _reaching(), self._redis.pipeline(transaction=True) as pipe:
            if horizons:
                pipe.zadd(_HORIZONS, dict(horizons), gt=True)
            for start in range(0, len(names), _PART):
                pipe.hdel(_ENTRIES, *names[start : start + _PART])
            if len(pipe):
                await pipe.execute()

    async def close(self) -> None:
        """Let go."""
        with suppress(RedisError, OSError):  # it is gone already
            await self._redis.aclose()


@asynccontextmanager
async def _reaching() -> AsyncIterator[None]:
    task = asyncio.current_task()
    cancels = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(2 * _TIMEOUT):
            yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnreachable(f"{type(error).__name__}: {error}") from None
    # The client writes under `asyncio.wait_for`, which up to Python 3.11 may swallow a cancellation (CPython 86296).
    if task and task.cancelling() > cancels:
        raise asyncio.CancelledError


def _messages(found: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Take the messages out of either shape that the client gives: a list of pairs, or a mapping (RESP3)."""
    streams = found.values() if isinstance(found, Mapping) else [messages for _, messages in found or ()]
    flat: list[tuple[bytes, dict[bytes, bytes]]] = []
    for messages in streams:
        for one in messages:
            flat += one if isinstance(one, list) else [one]
    return flat


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
