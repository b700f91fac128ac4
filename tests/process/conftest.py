"""The pair of real processes that tests share when they change nothing."""

from collections.abc import Iterator

import pytest

from examples.demo import processes
from tests.process.grounds import Ground, playground


@pytest.fixture(scope="session")
def shared() -> Iterator[Ground]:
    """Run a sidecar and a protected server for all tests that leave policy and processes alone."""
    with playground() as ground, processes.sidecar(ground), processes.ops_assistant(ground):
        yield Ground(ground)
