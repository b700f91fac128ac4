"""The edges of a shared policy: addresses, passwords, notices, rows that no file can spell, the commands."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar import configfile
from authz_sidecar.app import sourcing
from authz_sidecar.errors import ConfigError, PolicyProblems
from authz_sidecar.policy import database as databases
from authz_sidecar.policy.connect import Address, address
from authz_sidecar.policy.database import Database
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.notices import hear
from authz_sidecar.policy.outcomes import Refused
from authz_sidecar.policy.pull import as_csv
from authz_sidecar.policy.push import push
from authz_sidecar.policy.stored import ROWS, Stored, decode, encode, read_stored
from authz_sidecar.policy.watch import watch
from tests.cli.conftest import Run, desk, run
from tests.database.shared import NOOR_ENDS, becomes, change, closed, store
from tests.database.stores import Cluster, sqlite
from tests.policy.plainly import shipped

__all__ = ["desk", "run"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("policy.db", "is not a URL", id="no URL"),
        pytest.param("sqlite://", "needs a file", id="no file"),
        pytest.param("sqlite:///:memory:", "needs a file", id="in memory"),
        pytest.param("sqlite:///x.db?mode=rwc", "needs a file", id="options of SQLite"),
        pytest.param("mysql://a@127.0.0.1/b", "`mysql` is unknown", id="another database"),
        pytest.param("postgresql://a@127.0.0.1/b", "`postgresql+psycopg`", id="another driver"),
        pytest.param("postgresql+psycopg://a:pa55@127.0.0.1/b", "has a password", id="a password"),
        pytest.param("postgresql+psycopg://a@db.example/b", "sslmode=verify-full", id="a network without TLS"),
        pytest.param("postgresql+psycopg://a@/b?host=db.example", "sslmode=verify-full", id="a network as an option"),
        pytest.param("postgresql+psycopg://a@x:port/b", "is not a URL", id="a port that is none"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        address(text, base=tmp_path)
    assert says in str(caught.value)
    assert "pa55" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for scheme in ("", "sqlite:///", "postgresql+psycopg://"):
        try:
            address(scheme + text, base=Path("/nowhere"))
        except ConfigError as error:
            assert str(error)  # noqa: PT017 - any refusal will do, and most texts are none


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://a@127.0.0.1/b",
        "postgresql+psycopg://a@/b?host=/run/postgresql",
        "postgresql+psycopg://a@db.example/b?sslmode=verify-full",
    ],
)
def test_an_address_keeps_its_secret(text: str, tmp_path: Path) -> None:
    found = address(text, base=tmp_path, password=lambda: "pa55")
    assert found.postgresql
    assert "pa55" not in repr(found.url) + found.place


async def test_a_file_that_is_missing_is_said_and_not_made(tmp_path: Path) -> None:
    shared = store(tmp_path, sqlite(tmp_path))
    outcome = await shared.load()
    assert isinstance(outcome, Refused)
    assert [problem.code for problem in outcome.problems] == ["unreachable"]
    assert not (tmp_path / "policy.db").exists()
    assert shared.source.signature()[0] == "OperationalError"
    closed(shared)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "policy.db").write_bytes(b"p, role:a, *, *, *, allow\n" * 100)
    source = Database(sqlite(tmp_path))
    with pytest.raises(PolicyProblems, match="not a database"):
        source.read()
    with pytest.raises(PolicyProblems, match="nothing has changed"):
        push(sqlite(tmp_path), shipped())
    source.close()


def test_bounds_are_held(where: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    push(where, shipped())
    source = Database(where)
    monkeypatch.setattr(databases, "MOST", 3)
    with pytest.raises(PolicyProblems, match="more than 3 rows"):
        source.read()
    monkeypatch.setattr(databases, "MOST", 1_000)
    monkeypatch.setattr(databases, "LARGEST", 10)
    with pytest.raises(PolicyProblems, match="more than 10 bytes"):
        source.read()
    source.close()


def test_a_version_that_was_removed_is_missed_by_nobody(where: Address) -> None:
    push(where, shipped())
    source = Database(where)
    counted = source.signature()
    change(where, "DELETE FROM authz_version")
    compared = source.signature()
    assert (counted[0], compared[0]) == ("version", "digest")
    change(where, "UPDATE casbin_rule SET v4 = 'allow' WHERE id = 1")
    assert source.signature() != compared
    source.close()


@pytest.mark.postgres
async def test_a_notice_wakes_the_watcher(postgresql: Cluster, tmp_path: Path) -> None:
    """The watcher looks by itself once in ten minutes here, so what it sees within seconds it was told."""
    where = address(postgresql.fresh("notices"), base=tmp_path, password=lambda: "unused")
    push(where, shipped())
    shared = store(tmp_path, where)
    await shared.load()
    before = shared.status.revision
    wake = asyncio.Event()
    tasks = [
        asyncio.create_task(hear(where, wake)),
        asyncio.create_task(watch(shared, interval=600, quiet=0.0, wake=wake)),
    ]
    try:
        async with asyncio.timeout(10):
            await wake.wait()  # listening
        await asyncio.to_thread(push, where, shipped() | {"policy.csv": shipped()["policy.csv"] + NOOR_ENDS})
        await becomes(shared, lambda state: state.revision != before)
        # The connection is cut; afterwards it listens again, and looks at what it missed.
        live = shared.status.revision
        statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN authz_policy'"
        await asyncio.to_thread(postgresql.sql, statement, "notices")
        await asyncio.to_thread(push, where, shipped())
        await becomes(shared, lambda state: state.revision != live)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        closed(shared)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"id": 1, "until": "", "row": []}',
        b'{"id": 1, "until": "", "row": [1]}',
        b'{"id": "1", "until": "", "row": ["p"]}',
        b'{"id": 1, "until": "", "row": ["p"], "more": 1}',
        b"\xff",
    ],
)
def test_a_copy_that_no_database_gave_is_refused(line: bytes) -> None:
    found = Findings()
    assert read_stored(line, found) == []
    assert [problem.code for problem in found.problems] == ["bad-rows"]
    assert found.problems[0].file == ROWS


_value = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.lists(st.tuples(st.lists(_value, min_size=1, max_size=7), st.sampled_from(["", "2027-01-31", "x"])), max_size=5)
)
def test_any_rows_are_read_or_reported(rows: list[tuple[list[str], str]]) -> None:
    stored = [Stored(id=at, values=tuple(values), until=until) for at, (values, until) in enumerate(rows, 1)]
    assert decode(encode(stored)) == stored
    found = Findings()
    read = read_stored(encode(stored), found)
    assert len(read) + len({problem.file for problem in found.problems}) == len(stored)


@given(st.lists(st.tuples(st.sampled_from(["p", "g", "x"]), _value, _value), min_size=1, max_size=5))
def test_rows_are_spelled_exactly_or_refused(rows: list[tuple[str, ...]]) -> None:
    stored = [Stored(id=at, values=values) for at, values in enumerate(rows, 1)]
    try:
        as_csv(stored)
    except PolicyProblems as error:
        assert [problem.code for problem in error.problems] == ["not-spellable"]  # noqa: PT017 - either will do


def configured(desk: Path, lines: str) -> Path:
    config = desk / "authz.toml"
    config.write_text(config.read_text().replace("[policy]\n", f"[policy]\n{lines}\n"))
    return config


def test_commands_say_what_is_missing(run: Run, desk: Path) -> None:
    config = desk / "authz.toml"
    for command in (("push", desk / "policies"), ("pull", desk / "out")):
        said = run("policy", *command, "--config", config)
        assert (said.code, "no database is configured" in said.err) == (2, True)
    configured(desk, 'database = "postgresql+psycopg://a@127.0.0.1/b"\ndatabase_password_file = "no"')
    said = run("policy", "push", desk / "policies", "--config", config)
    assert (said.code, "database_password_file" in said.err) == (2, True)


def test_a_policy_that_would_be_refused_is_not_pushed(run: Run, desk: Path) -> None:
    config = configured(desk, 'database = "sqlite:///policy.db"')
    (desk / "policies/policy.csv").write_text("p, role:a, *, *, *, Deny\n")
    said = run("policy", "push", desk / "policies", "--config", config)
    assert (said.code, "unknown effect `Deny`" in said.err) == (1, True)
    assert not (desk / "policy.db").exists()


def test_what_is_pulled_overwrites_nothing_unless_told(run: Run, desk: Path) -> None:
    config = configured(desk, 'database = "sqlite:///policy.db"')
    assert run("policy", "push", desk / "policies", "--config", config, "--json").code == 0
    said = run("policy", "pull", desk / "policies", "--config", config)
    assert (said.code, "would be overwritten" in said.err) == (2, True)
    assert run("policy", "pull", desk / "policies", "--config", config, "--force", "--json").code == 0
    change(address("sqlite:///policy.db", base=desk), "UPDATE casbin_rule SET v4 = 'Deny' WHERE id = 1")
    said = run("policy", "pull", desk / "broken", "--config", config)
    assert (said.code, "unknown effect `Deny`" in said.err) == (1, True)
    assert "Deny" in (desk / "broken/policy.csv").read_text()


def test_new_grants_are_named_and_not_pushed(run: Run, desk: Path) -> None:
    config = configured(desk, 'database = "sqlite:///policy.db"')
    run("policy", "push", desk / "policies", "--config", config)
    policy = desk / "policies/policy.csv"
    policy.write_text(policy.read_text() + "g, user:noor, role:viewer\n")
    said = run("policy", "push", desk / "policies", "--config", config, "--require-no-new-grants")
    assert said.code == 1
    assert "user:noor could tools/call list_tickets" in said.err
    assert "nothing has changed" in said.err


def test_a_password_that_cannot_be_read_later_is_as_an_outage(desk: Path) -> None:
    (desk / "password").write_bytes(b"\xff")
    config = configured(desk, 'database = "postgresql+psycopg://a@127.0.0.1:1/b"\ndatabase_password_file = "password"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        sourcing.database(configfile.load(config, {}))
    (desk / "password").write_text("secret")
    source = Database(sourcing.database(configfile.load(config, {})))
    os.truncate(desk / "password", 0)
    (desk / "password").unlink()
    with pytest.raises(PolicyProblems, match=r"cannot be read: .*No such file"):
        source.read()
    source.close()
