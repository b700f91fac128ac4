"""What the tests of the whole sidecar share."""

from collections.abc import Iterator

import pytest

from tests.app.running import House, house


@pytest.fixture
def home() -> Iterator[House]:
    with house() as found:
        yield found
