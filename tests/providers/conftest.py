"""What the tests against a real provider share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app import running as sidecar
from tests.app.running import House
from tests.providers import real


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real.install(tmp_path_factory.mktemp("provider"))


@pytest.fixture
def house() -> Iterator[House]:
    with sidecar.house() as found:
        found.policy.write_text("p, client:nightly, ops, tools/call, echo, allow\n")
        yield found
