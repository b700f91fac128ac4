"""The protocol's own conformance suite: what passes directly also passes through the gateway and the middleware."""

import asyncio
from pathlib import Path

import pytest

from examples.demo.processes import free_port
from tests.conformance import protected, suite
from tests.conformance.suite import Result

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(300)]

# What the fixture passes directly. A new version of the suite or of the SDK may raise these, nothing may lower them.
PASSED = {"2025-11-25": 84, "2026-07-28": 169}
# The tasks extension is optional, and the SDK that the fixture stands on does not have it.
OPTIONAL = "tasks-"
WAYS = ("direct", "gateway", "middleware")
_RESULTS: dict[tuple[str, str], Result] = {}


async def outcome(way: str, requirements: str, directory: Path) -> Result:
    """Run the suite once for each way and requirement set, whichever test asks first."""
    if (way, requirements) not in _RESULTS:
        (directory / "out").mkdir()
        async with protected.sidecar() as ground, getattr(protected, way)(directory, ground) as url:
            _RESULTS[way, requirements] = await suite.run(url, requirements, directory / "out")
    return _RESULTS[way, requirements]


@pytest.mark.parametrize("requirements", PASSED)
async def test_the_fixture_itself_passes_what_it_is_known_to_pass(requirements: str, tmp_path: Path) -> None:
    result = await outcome("direct", requirements, tmp_path)
    failed = [check for check, status in result.checks.items() if status in {"FAILURE", "WARNING"}]
    assert [check for check in failed if not check[0].startswith(OPTIONAL)] == []
    assert result.passed >= PASSED[requirements]
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize("requirements", PASSED)
async def test_protection_makes_no_check_worse(
    requirements: str, way: str, tmp_path: Path, conformance_table: list[str]
) -> None:
    (tmp_path / "direct").mkdir()
    direct = await outcome("direct", requirements, tmp_path / "direct")
    result = await outcome(way, requirements, tmp_path)
    worse = result.worse_than(direct)
    for name, one in (("direct", direct), (way, result)):
        counts = "  ".join(f"{status.lower()} {one.count(status)}" for status in ("FAILURE", "WARNING", "SKIPPED"))
        line = f"{requirements}  {name:12} passed {one.passed}  {counts}  exit {one.exit_code}"
        if not any(line in known for known in conformance_table):
            conformance_table.append(line + (f"  worse {len(worse)}" if one is result else ""))
    assert worse == []
    assert result.exit_code == 0, result.output


async def test_a_server_that_is_not_there_is_not_taken_for_a_good_one(tmp_path: Path) -> None:
    result = await suite.run(f"http://127.0.0.1:{free_port()}/mcp", "2025-11-25", tmp_path)
    assert result.exit_code != 0
    direct = await outcome("direct", "2025-11-25", await asyncio.to_thread(_folder, tmp_path))
    assert len(result.worse_than(direct)) > 40


def _folder(parent: Path) -> Path:
    (parent / "direct").mkdir()
    return parent / "direct"
