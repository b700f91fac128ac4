"""Counts requests by the `limits` library, in memory or in a Redis that several gateways share."""

import hashlib
import json
import math
import time
from typing import Final

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from mcp_adapter.gateway.limits import Key, NotCounted

_SECONDS: Final = 1.0


class Counted:
    """Counts in a sliding window, whose memory for one caller does not grow with the rate."""

    def __init__(self, redis_url: str = "") -> None:
        """Take the URL of a Redis, or nothing for memory; raises `ValueError`."""
        self._pool = _pool(redis_url) if redis_url else None
        self._limiter = SlidingWindowCounterRateLimiter(_storage(redis_url, self._pool))
        self._items: dict[str, RateLimitItem] = {}

    async def hit(self, rate: str, key: Key) -> int:
        """Count once; give 0 when that is within the rate, else the seconds to wait; raises `NotCounted`."""
        item = self._items.setdefault(rate, parse(rate))
        # A digest of the list as a whole: names joined by a character could be made to meet.
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        try:
            if await self._limiter.hit(item, name):
                return 0
            stats = await self._limiter.get_window_stats(item, name)
        except StorageError as error:
            raise NotCounted(f"{type(error.storage_error).__name__}: {error.storage_error}") from None
        return max(1, math.ceil(stats.reset_time - time.time()))

    async def close(self) -> None:
        """Let go of what is open."""
        if self._pool is not None:
            await self._pool.disconnect()


def _pool(url: str) -> ConnectionPool:
    try:
        return ConnectionPool.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
    except ValueError:
        raise ValueError("the URL of Redis cannot be used: expected `redis://`, `rediss://` or `unix://`") from None


def _storage(url: str, pool: ConnectionPool | None) -> MemoryStorage | RedisStorage:
    if pool is None:
        return MemoryStorage()
    return RedisStorage(
        url,
        implementation="redispy",
        wrap_exceptions=True,
        key_prefix="authz-gateway",
        connection_pool=pool,  # type: ignore[arg-type]  # options are typed as text and numbers alone
    )
