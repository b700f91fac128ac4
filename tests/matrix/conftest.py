"""Prints one line for each cell of the matrix at the end of the run, also when all is well."""

from collections.abc import Callable
from typing import Any

import pytest

_KEY = pytest.StashKey[dict[tuple[str, str], dict[str, bool]]]()
_GRADES = pytest.StashKey[dict[str, str]]()


@pytest.fixture
def table(pytestconfig: pytest.Config) -> Callable[..., Callable[[str, bool, Any], None]]:
    """Give what makes a row, which remembers each point and then asserts it."""
    cells = pytestconfig.stash.setdefault(_KEY, {})

    def begin(server: str, client: str) -> Callable[[str, bool, Any], None]:
        cell = cells.setdefault((server, client), {})

        def note(point: str, right: bool, seen: Any) -> None:
            cell[point] = right
            assert right, f"{point}: {seen}"

        return note

    return begin


@pytest.fixture
def grades(pytestconfig: pytest.Config) -> dict[str, str]:
    """Give what an outside judge said, by what was judged."""
    return pytestconfig.stash.setdefault(_GRADES, {})


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    grades = config.stash.get(_GRADES, {})
    if grades:
        terminalreporter.section("grades by mcp-authlab")
        for judged, said in grades.items():
            terminalreporter.write_line(f"{judged:48} {said}")
    cells = config.stash.get(_KEY, {})
    if not cells:
        return
    terminalreporter.section("matrix of SDKs")
    for (server, client), points in cells.items():
        said = "  ".join(f"{point}{'' if right else ' WRONG'}" for point, right in points.items())
        terminalreporter.write_line(f"{server:40} {client:24} {said}")
