"""Prints what the conformance suite said, one line a run, also when all is well."""

from typing import Any

import pytest

_KEY = pytest.StashKey[list[str]]()


@pytest.fixture
def conformance_table(pytestconfig: pytest.Config) -> list[str]:
    return pytestconfig.stash.setdefault(_KEY, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash.get(_KEY, [])
    if lines:
        terminalreporter.section("conformance of the protocol")
        for line in lines:
            terminalreporter.write_line(line)
