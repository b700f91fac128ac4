"""What the tests of the policy room share."""

from pathlib import Path

import pytest

from tests.policy.plainly import shipped, write


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Give a copy of the shipped policy."""
    return write(tmp_path / "policies", shipped())
