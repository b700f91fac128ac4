"""What the tests of the authorization server have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.oauth.world import World, world


@pytest_asyncio.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        await made.add()
        yield made
