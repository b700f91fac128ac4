"""What the adapter's tests share."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mcp_adapter.client import SidecarClient
from tests.adapter.bench import Lines
from tests.adapter.fake_sidecar import FakeSidecar, Table
from tests.adapter.open_streams import Teller


@pytest.fixture
def table() -> Table:
    return Table(
        may={
            "alice": {
                ("tools/call", "echo"),
                ("tools/call", "write"),
                ("tools/call", "whoami"),
                ("tools/call", "fail"),
                ("resources/read", "note://a"),
                ("prompts/get", "greet"),
            },
            "bob": {("tools/call", "danger"), ("tools/call", "whoami"), ("resources/read", "note://b")},
            "root": {("*", "*")},
        },
        scopes={("tools/call", "write"): ["tickets:write", "tickets:read"]},
    )


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A short private directory: the path of a Unix socket has room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="authz-") as folder:
        yield Path(folder) / "run"


@pytest.fixture
async def sidecar(run_dir: Path, table: Table) -> AsyncIterator[FakeSidecar]:
    fake = await FakeSidecar(run_dir / "authz.sock", table).start()
    yield fake
    await fake.stop()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
async def asker(sidecar: FakeSidecar) -> AsyncIterator[SidecarClient]:
    found = SidecarClient(sidecar.target, timeout=5)
    yield found
    await found.close()


@pytest.fixture
async def teller() -> Teller:
    return Teller()
