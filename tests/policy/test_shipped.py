"""The shipped policy and the check of a directory."""

from pathlib import Path

import pytest

from authz_sidecar.model import Server
from authz_sidecar.policy.check import check
from tests.policy.plainly import SERVERS, SHIPPED, LinearEngine, shipped, write


async def test_the_shipped_policy_loads_without_a_word() -> None:
    report = await check(SHIPPED, engine=LinearEngine(), servers=SERVERS)
    assert report
    assert (report.problems, report.warnings) == ((), ())
    assert report.expectations_run == len(report.rules.expectations) == 20


@pytest.mark.parametrize("name", ["policy.csv", "scopes.csv", "expectations.csv", "model.conf"])
def test_the_shipped_files_explain_themselves(name: str) -> None:
    text = shipped()[name].decode("ascii")
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert max(map(len, text.splitlines())) <= 120


async def test_a_check_of_broken_files_tells_everything(tmp_path: Path) -> None:
    write(tmp_path, shipped() | {"policy.csv": b"P,a\np,b,*,*,*,allow\n"})
    report = await check(tmp_path, engine=LinearEngine(), servers=SERVERS)
    assert not report
    assert [problem.line for problem in report.problems] == [1, 2]
    assert report.revision is not None
    assert report.expectations_run == 0


async def test_a_check_of_a_missing_directory_is_a_report_too(tmp_path: Path) -> None:
    report = await check(tmp_path / "no", engine=LinearEngine(), servers=SERVERS)
    assert (bool(report), report.revision, len(report.problems)) == (False, None, 1)


async def test_a_check_holds_the_names_against_the_configuration() -> None:
    desk = {"desk": Server(name="desk", audience="https://desk.example")}
    assert not await check(SHIPPED, engine=LinearEngine(), servers=desk)
    assert not await check(SHIPPED, engine=LinearEngine(), servers=SERVERS, qualified_by=frozenset({"corp", "lab"}))
    one = await check(SHIPPED, engine=LinearEngine(), servers=SERVERS)
    other = await check(SHIPPED, engine=LinearEngine(), servers=SERVERS, claim_mapping=b"roles=groups")
    assert one.revision != other.revision
