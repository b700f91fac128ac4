"""How many clients may register themselves, from one address and in all: one count for every door."""

import time
from typing import Final

from authz_sidecar.oauth.clients import Registry
from authz_sidecar.oauth.errors import SlowDown
from authz_sidecar.oauth.limit import Limit, network
from authz_sidecar.oauth.settings import Settings

_HOUR: Final = 3_600.0


class Admission:
    """Lets clients register, or not now."""

    def __init__(self, *, settings: Settings, registry: Registry) -> None:
        """Take who keeps the clients."""
        self._limit = Limit(settings.registrations_per_hour, seconds=_HOUR, clock=time.monotonic)
        self._most = settings.max_clients
        self._registry = registry

    def knock(self, address: str) -> None:
        """Count one who tries, whatever becomes of it; raises `SlowDown`. Those of no known address are one."""
        if not self._limit.take(network(address)):
            raise SlowDown("too many registrations from this address; try again later")

    async def room(self) -> None:
        """Find room for one more; raises `SlowDown` when there is none."""
        if await self._full():
            await self._registry.make_room()
            if await self._full():
                raise SlowDown("no more clients can be registered", log="`max_clients` clients registered themselves")

    async def _full(self) -> bool:
        return await self._registry.registered() >= self._most
