"""A policy in a database: pushed, read, judged as files are, shared by several sidecars."""

import asyncio
from pathlib import Path

import pytest

from authz_sidecar.policy import files
from authz_sidecar.policy.connect import Address, engine
from authz_sidecar.policy.database import Database
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Origin, Refused, Unchanged
from authz_sidecar.policy.pull import as_files
from authz_sidecar.policy.push import Pushed, push
from authz_sidecar.policy.stored import ROWS, decode
from authz_sidecar.policy.watch import watch
from tests.database.shared import NOOR_ENDS, becomes, change, closed, more, one, one_version, store
from tests.policy.plainly import allowed, shipped


def test_what_is_pushed_is_read_with_its_places(where: Address) -> None:
    assert push(where, more(policy=NOOR_ENDS)) == Pushed(
        added=13, removed=0, kept=0, files=("expectations.csv", "model.conf", "scopes.csv"), version=one_version(where)
    )
    source = Database(where)
    found = source.read()
    source.close()
    rows = decode(found[ROWS])
    assert rows[0].values == ("p", "user:mallory", "*", "*", "*", "deny")
    assert [(row.values, row.until) for row in rows if row.until] == [
        (("g", "user:noor", "role:support"), "2027-01-31")
    ]
    assert found["scopes.csv"] == shipped()["scopes.csv"]


def test_rows_that_stay_keep_their_ids(where: Address) -> None:
    push(where, more(policy=b"g, user:bob, role:viewer\ng, user:bob, role:viewer\n"))
    before = one(where, "SELECT id FROM casbin_rule WHERE v0 = 'user:alice'")
    again = push(where, more(policy=b"g, user:bob, role:viewer\np, role:new, ops-assistant, tools/call, x, allow\n"))
    assert (again.added, again.removed, again.files) == (1, 1, ())
    assert one(where, "SELECT id FROM casbin_rule WHERE v0 = 'user:alice'") == before
    assert push(where, more(policy=b"g, user:bob, role:viewer\n")).removed == 1
    assert push(where, more()).removed == 1


def test_what_is_pulled_is_what_was_pushed(where: Address) -> None:
    odd = b'p, "user:a,b", *, tools/call, "say ""hi"" # x", allow\np, user:caf\xc3\xa9, *, *, *, deny\n'
    pushed = more(policy=odd + NOOR_ENDS)
    push(where, pushed)
    source = Database(where)
    pulled = as_files(source.read())
    source.close()
    assert {name: data for name, data in pulled.items() if name != "policy.csv"} == {
        name: data for name, data in pushed.items() if name != "policy.csv"
    }
    before = one(where, "SELECT max(id) FROM casbin_rule")
    again = push(where, pulled)
    assert (again.added, again.removed) == (0, 0)
    assert one(where, "SELECT max(id) FROM casbin_rule") == before


async def test_rows_of_a_database_are_judged_as_those_of_files(where: Address, tmp_path: Path) -> None:
    push(where, shipped())
    shared = store(tmp_path, where)
    assert isinstance(await shared.load(), Applied)
    assert await allowed(shared, "user:alice", "create_ticket")
    assert not await allowed(shared, "user:vera", "create_ticket")
    assert not await allowed(shared, "user:mallory", "lookup_inventory")
    assert isinstance(await shared.load(), Unchanged)
    closed(shared)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        pytest.param(
            "UPDATE casbin_rule SET v4 = 'Deny' WHERE v0 = 'user:mallory'",
            "casbin_rule:id 1: unknown effect `Deny`, expected `deny`",
            id="an effect in another case",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v1 = 'ops' WHERE id = 1",
            "casbin_rule:id 1: no configured server matches `ops`",
            id="a server that nobody configured",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v3 = 'a*b' WHERE id = 2",
            "casbin_rule:id 2: `a*b` has a `*` that is not at the end",
            id="a star inside",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v1 = v0 WHERE ptype = 'g' AND v0 = 'role:admin'",
            "casbin_rule:id 8: `role:admin` is a member of itself",
            id="a membership of itself",
        ),
        pytest.param(
            "UPDATE casbin_rule SET ptype = 'P' WHERE id = 1",
            "casbin_rule:id 1: unknown row kind `P`, expected `p`",
            id="another row kind",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v3 = NULL, v4 = NULL WHERE id = 1",
            "casbin_rule:id 1: this p row has 4 fields, expected 6: p, subject, server, method, tool, effect",
            id="a row too short",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v1 = NULL WHERE id = 1",
            "casbin_rule:id 1: an empty field, write `*` for anything",
            id="a hole in a row",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v0 = ' user:mallory' WHERE id = 1",
            "casbin_rule:id 1: ` user:mallory` begins or ends with a blank",
            id="a blank in front",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v0 = 'user:mal\u200blory' WHERE id = 1",
            "casbin_rule:id 1: `user:mal\\u200blory` has a character that cannot be seen",
            id="an invisible character",
        ),
        pytest.param(
            "UPDATE casbin_rule SET v0 = 'user:a\nb' WHERE id = 1",
            "casbin_rule:id 1: `user:a\\nb` has a character that cannot be seen",
            id="a line end",
        ),
        pytest.param(
            "INSERT INTO authz_until (rule_id, until) VALUES (1, 'soon')",
            "casbin_rule:id 1: `soon` names no day, expected for example `2027-01-31`",
            id="an end that is no day",
        ),
        pytest.param(
            "INSERT INTO authz_until (rule_id, until) VALUES (999, '2027-01-31')",
            "casbin_rule: `authz_until` names rows that do not exist, remove those: [999]",
            id="an end without its row",
        ),
        pytest.param(
            "DELETE FROM casbin_rule WHERE v0 = 'user:vera'",
            "expectations.csv:10:98: expected `allow` for user:vera: tools/call lookup_inventory, "
            "got `no_matching_rule`",
            id="an expectation that fails",
        ),
        pytest.param(
            "INSERT INTO authz_file (name, body) VALUES ('../../x', '')",
            "authz_file: has the unknown file `../../x`, expected `scopes.csv`",
            id="a file that is none of a policy",
        ),
    ],
)
async def test_a_bad_change_is_refused_with_its_place_and_the_last_good_policy_stays(
    where: Address, tmp_path: Path, statement: str, problem: str
) -> None:
    push(where, shipped())
    shared = store(tmp_path, where)
    await shared.load()
    change(where, statement)
    outcome = await shared.load()
    assert isinstance(outcome, Refused)
    assert str(outcome.problems[0]).startswith(problem)
    assert not await allowed(shared, "user:mallory", "lookup_inventory")
    assert shared.status.stale
    again = store(tmp_path, where)
    await again.load()
    assert again.status.origin is Origin.LAST_GOOD
    assert await allowed(again, "user:alice", "create_ticket")
    closed(shared)
    closed(again)


async def test_losing_most_rows_waits_for_a_person(where: Address, tmp_path: Path) -> None:
    push(where, shipped() | {"expectations.csv": shipped()["expectations.csv"].split(b"user:vera,")[0]})
    shared = store(tmp_path, where)
    await shared.load()
    change(where, "DELETE FROM casbin_rule WHERE id > 2")
    assert isinstance(await shared.load(), NeedsConfirmation)
    assert await allowed(shared, "user:alice", "create_ticket")
    assert isinstance(await shared.load(confirm=True), Applied)
    closed(shared)


async def test_several_sidecars_follow_one_store_and_outlive_it(where: Address, tmp_path: Path) -> None:
    push(where, shipped())
    fleet = [store(tmp_path / str(number), where) for number in range(3)]
    for one_ in fleet:
        await one_.load()
    watching = [asyncio.create_task(watch(one_, interval=0.05, quiet=0.0)) for one_ in fleet]
    try:
        before = {one_.status.revision for one_ in fleet}
        assert len(before) == 1
        await asyncio.to_thread(push, where, more(policy=b"g, user:noor, role:support\n"))
        for one_ in fleet:
            await becomes(one_, lambda state: state.revision not in before)
        assert len({one_.status.revision for one_ in fleet}) == 1
        for one_ in fleet:
            assert await allowed(one_, "user:noor", "create_ticket")
        # Somebody else's client, which knows nothing of versions.
        await asyncio.to_thread(change, where, "DELETE FROM casbin_rule WHERE v0 = 'user:noor'")
        for one_ in fleet:
            await becomes(one_, lambda state: state.revision in before)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for one_ in fleet:
            closed(one_)


async def test_an_empty_database_says_what_to_do(where: Address, tmp_path: Path) -> None:
    database = engine(where, writes=True)
    with database.connect():
        pass
    database.dispose()
    shared = store(tmp_path, where)
    outcome = await shared.load()
    assert isinstance(outcome, Refused)
    assert "policy push DIR" in str(outcome.problems[0])
    closed(shared)


def test_a_revision_of_a_database_is_told_by_its_rows(where: Address) -> None:
    push(where, shipped())
    source = Database(where)
    before = files.revision(source.read(), b"")
    push(where, shipped())
    assert files.revision(source.read(), b"") == before
    change(where, "UPDATE casbin_rule SET v4 = 'allow' WHERE id = 1")
    assert files.revision(source.read(), b"") != before
    source.close()
