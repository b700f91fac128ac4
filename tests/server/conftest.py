"""A running server for the tests of the gRPC door."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.server.fakes import Running, running


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="az") as directory:
        yield Path(directory)


@pytest.fixture
async def serving(short: Path) -> AsyncIterator[Running]:
    async with running(short) as it:
        yield it
