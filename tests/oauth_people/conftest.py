from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.oauth_people.house import Browser, House, house


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


@pytest.fixture
async def browser(server: House) -> AsyncIterator[Browser]:
    async with server.browser() as made:
        yield made
