"""What the tests of shared policies have in common."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from authz_sidecar.policy.connect import Address, address
from tests.database.stores import Cluster, cluster, sqlite

_numbers = count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """An empty database."""
    if request.param == "sqlite":
        return sqlite(tmp_path)
    server: Cluster = request.getfixturevalue("postgresql")
    return address(server.fresh(f"policy{next(_numbers)}"), base=tmp_path)
