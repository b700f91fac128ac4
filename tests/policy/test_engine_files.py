"""What only some engines read: files of `engine.d`, models that only Casbin evaluates, policies without prefixes."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from authz_sidecar.engines.casbin import CasbinEngine
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.policy import files
from authz_sidecar.policy import store as store_module
from authz_sidecar.policy.check import Report, check
from authz_sidecar.policy.losses import Size, loss
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Refused
from authz_sidecar.ports import PolicyEngine
from authz_sidecar.rules import Rules
from tests.policy.plainly import SERVERS, LinearEngine, LinearPolicy, make_store, shipped, write
from tests.policy.test_model import model

OR = model("sub, obj, act", "g(r.sub, p.sub) && (r.obj == p.obj || p.obj == 'any') && r.act == p.act", g="g = _, _")
EXPECT = "subjects,server,method,tool,scopes,args,expect\n"


class Minding(LinearEngine):
    """Reads files of its own, and refuses when they say so."""

    name = "minding"
    files = (".mine",)

    def __init__(self) -> None:
        self.read: Mapping[str, bytes] = {}

    def compile(self, rules: Rules) -> LinearPolicy:
        self.read = rules.sources
        return super().compile(rules)


def checked(directory: Path, engine: PolicyEngine, **more: bool) -> Report:
    return asyncio.run(check(directory, engine=engine, servers=SERVERS, **more))


def test_an_engine_gets_the_files_that_it_reads_and_needs_no_rows(tmp_path: Path) -> None:
    (tmp_path / "engine.d").mkdir()
    (tmp_path / "engine.d" / "a.mine").write_bytes(b"one")
    (tmp_path / "engine.d" / ".a.mine.swp").write_bytes(b"left by an editor")
    engine = Minding()
    report = checked(tmp_path, engine)
    assert (report.problems, report.warnings) == ((), ())
    assert engine.read == {"engine.d/a.mine": b"one"}
    assert report.rules.sources == engine.read


def test_a_file_that_nobody_reads_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, shipped())
    (tmp_path / "engine.d").mkdir()
    (tmp_path / "engine.d" / "a.cedar").write_bytes(b"forbid (principal, action, resource);")
    (problem,) = checked(tmp_path, LinearEngine()).problems
    assert str(problem) == "engine.d/a.cedar: the engine `linear` does not read this file"


def test_a_name_that_cannot_be_printed_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, shipped())
    (tmp_path / "engine.d").mkdir()
    (tmp_path / "engine.d" / "a\u202e.mine").write_bytes(b"")
    assert [problem.code for problem in checked(tmp_path, Minding()).problems] == ["odd-name"]


def test_without_rows_and_files_the_rows_are_missing(tmp_path: Path) -> None:
    assert [problem.code for problem in checked(tmp_path, Minding()).problems] == ["missing", "missing"]


def test_an_edit_of_such_a_file_is_seen_and_is_another_revision(tmp_path: Path) -> None:
    folder = tmp_path / "engine.d"
    folder.mkdir()
    (folder / "a.mine").write_bytes(b"one")
    before, revision = files.signature(tmp_path), checked(tmp_path, Minding()).revision
    (folder / "a.mine").write_bytes(b"another")
    assert files.signature(tmp_path) != before
    assert checked(tmp_path, Minding()).revision != revision


async def test_such_files_are_kept_as_last_good_and_losing_one_needs_a_person(tmp_path: Path) -> None:
    directory = write(tmp_path / "policies", shipped())
    (directory / "engine.d").mkdir()
    (directory / "engine.d" / "a.mine").write_bytes(b"one")
    (directory / "engine.d" / "b.mine").write_bytes(b"two")
    store = make_store(tmp_path, engine=Minding())
    assert isinstance(await store.load(), Applied)
    (directory / "engine.d" / "b.mine").write_bytes(b"\n")
    outcome = await store.load()
    assert isinstance(outcome, NeedsConfirmation)
    assert "`engine.d/b.mine` would be lost, and what it forbids would open" in outcome.problems[0].message
    (directory / "policy.csv").write_bytes(b"broken\n")
    again = make_store(tmp_path, engine=Minding())
    assert isinstance(await again.load(), Refused)
    assert again.current.rules.sources == {"engine.d/a.mine": b"one", "engine.d/b.mine": b"two"}


def test_more_files_are_no_loss() -> None:
    assert loss(Size.of(Rules()), Size.of(Rules(sources={"engine.d/a": b"x"}))) == ""


def test_rows_that_only_casbin_reads_are_refused_for_other_engines(tmp_path: Path) -> None:
    write(tmp_path, {"model.conf": OR, "policy.csv": "p, role:a, any, tools/call, deny\n"})
    (problem,) = checked(tmp_path, IndexEngine()).problems
    assert str(problem).startswith(
        "model.conf: only Casbin can read this model, and the engine `index` does not ask it"
    )
    report = checked(tmp_path, CasbinEngine())
    assert report.problems == ()
    assert [warning.code for warning in report.warnings] == ["model-not-compiled"]


@pytest.mark.parametrize(
    ("who", "expect"),
    [
        pytest.param("user:alice", "allow", id="a role by a g row"),
        pytest.param("user:bob", "denied_by_rule", id="a user"),
        pytest.param("user:admin", "deny", id="a user who is called like a role"),
        pytest.param("user:eve", "no_matching_rule", id="anybody"),
    ],
)
def test_plain_subjects_are_tested_as_the_policy_means_them(tmp_path: Path, who: str, expect: str) -> None:
    plain = model("sub, obj, act", "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act", g="g = _, _")
    rows = "p, admin, x, tools/call, allow\np, bob, x, tools/call, deny\ng, alice, admin\n"
    test = f"{EXPECT}{who},ops-assistant,tools/call,x,,,{expect}\n"
    write(tmp_path, {"model.conf": plain, "policy.csv": rows, "expectations.csv": test})
    report = checked(tmp_path, CasbinEngine(), plain_subjects=True)
    assert report.problems == ()


async def test_more_rules_than_can_be_linted_quickly_are_not_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "LINTED", 2)
    row = "p, role:x, ops-assistant, tools/call, x, allow\n"
    write(tmp_path / "policies", {**shipped(), "policy.csv": row * 3, "expectations.csv": EXPECT})
    store = make_store(tmp_path)
    outcome = await store.load()
    assert isinstance(outcome, Applied)
    assert [warning.code for warning in outcome.warnings] == ["not-linted"]
    report = await check(tmp_path / "policies", engine=LinearEngine(), servers=SERVERS)
    assert "duplicate-row" in {warning.code for warning in report.warnings}


def test_a_role_on_a_server_that_nobody_configured_is_an_error(tmp_path: Path) -> None:
    domains = model("sub, dom, obj", "g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj", g="g = _, _, _")
    rows = "p, role:a, ops-assistant, x, allow\ng, user:a, role:a, ops-asistant\ng, user:a, role:a, ops-assistant\n"
    write(tmp_path, {"model.conf": domains, "policy.csv": rows})
    (problem,) = checked(tmp_path, IndexEngine()).problems
    assert str(problem) == (
        "policy.csv:2:20: no configured server is called `ops-asistant`, did you mean `ops-assistant`"
    )


def test_a_membership_cannot_end_beside_files_that_only_an_engine_reads(tmp_path: Path) -> None:
    rows = "g, user:a, role:r\n# until 2026-01-31\ng, user:b, role:r\n"
    write(tmp_path / "engine.d", {"a.mine": "permit"})
    write(tmp_path, {"policy.csv": rows})
    report = checked(tmp_path, Minding())
    assert [(one.line, one.code) for one in report.problems] == [(3, "bad-until")]
