"""What the gateway's tests share."""

from collections.abc import AsyncIterator

import pytest

from tests.adapter.conftest import run_dir, sidecar, table
from tests.gateway.standing import Recording, running

__all__ = ["run_dir", "sidecar", "table"]


@pytest.fixture
def server() -> Recording:
    return Recording()


@pytest.fixture
async def upstream(server: Recording) -> AsyncIterator[str]:
    """The address of the recording server."""
    async with running(server) as url:
        yield url
