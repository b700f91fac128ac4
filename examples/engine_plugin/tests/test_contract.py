"""The engine keeps the contract of all engines, by the test that authz-sidecar offers."""

from authz_sidecar.engines.registry import load
from authz_sidecar.testing.engines import check_engine


def test_the_engine_is_found_by_its_name_and_keeps_the_contract() -> None:
    """Hold it against the table of cases, and against the reference engine on random policies."""
    check_engine(load("sqlite"), policies=50)
