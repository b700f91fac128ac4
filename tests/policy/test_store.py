"""The store: an edit is live as a whole or not at all, also across a restart."""

import asyncio
from pathlib import Path

import pytest

from authz_sidecar.errors import EngineError, NotReady
from authz_sidecar.policy.outcomes import Applied, Origin, Outcome, Refused, StoreStatus, Unchanged
from tests.policy.plainly import (
    BROKEN,
    MODEL,
    BrokenEngine,
    RefusingEngine,
    Told,
    allowed,
    append,
    make_store,
    shipped,
    write,
)


async def test_before_the_first_policy_nothing_is_ready(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with pytest.raises(NotReady):
        _ = store.current
    assert store.status == StoreStatus()


async def test_the_first_load_is_applied_and_told(tmp_path: Path, policies: Path) -> None:
    told = Told()
    store = make_store(tmp_path, tell=told)
    outcome = await store.load()
    assert outcome == Applied(revision=store.current.revision, previous=None)
    assert told.outcomes == [outcome]
    assert store.status == StoreStatus(revision=outcome.revision, loaded_at=1_000.0, rules=7, memberships=5)


async def test_the_same_files_again_are_unchanged(tmp_path: Path, policies: Path) -> None:
    store = make_store(tmp_path)
    await store.load()
    policy = store.current
    assert await store.load() == Unchanged(revision=policy.revision)
    assert store.current is policy


async def test_an_edit_is_applied_with_its_warnings(tmp_path: Path, policies: Path) -> None:
    times = iter((1.0, 2.0))
    store = make_store(tmp_path, clock=lambda: next(times))
    first = await store.load()
    append(policies, "p, user:bob, ops-assistant, tools/call, list_tickets, allow\np, user:bob, typo, *, *, allow\n")
    outcome = await store.load()
    assert isinstance(outcome, Applied)
    assert outcome.previous == first.revision != outcome.revision
    assert [warning.code for warning in outcome.warnings] == ["unknown-server"]
    assert (store.status.warnings, store.status.loaded_at, store.status.rules) == (outcome.warnings, 2.0, 9)
    assert (await store.load()) == Unchanged(revision=outcome.revision, warnings=outcome.warnings)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("policy.csv", BROKEN, id="broken policy"),
        pytest.param("model.conf", "[matchers]\nm = true\n", id="another model"),
        pytest.param("scopes.csv", "", id="emptied scopes"),
        pytest.param("scopes.csv", "server,method,tool,scopes\ntypo,*,*,x\n", id="scope row for no server"),
        pytest.param("expectations.csv", "x\n", id="broken expectations"),
        pytest.param("policy.csv", b"\xef\xbb\xbf" + shipped()["policy.csv"], id="byte order mark"),
        pytest.param("policy.csv", shipped()["policy.csv"].decode().encode("utf-16"), id="UTF-16"),
        pytest.param("policy.csv", shipped()["policy.csv"] + b"p, user:m", id="partial write"),
        pytest.param("policy.csv", b"\x00" * 4096, id="blocks of NUL after a crash"),
    ],
)
async def test_a_broken_edit_is_refused_and_the_last_good_policy_stays(
    tmp_path: Path, policies: Path, name: str, content: bytes | str
) -> None:
    store = make_store(tmp_path)
    await store.load()
    policy = store.current
    write(policies, {name: content})
    outcome = await store.load()
    assert isinstance(outcome, Refused)
    assert outcome.revision == policy.revision
    assert store.current is policy
    assert {problem.file for problem in outcome.problems} == {name}
    assert (store.status.stale, store.status.problems) == (True, outcome.problems)
    assert store.status.origin is Origin.FILES


async def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path, policies: Path) -> None:
    write(
        policies, {"policy.csv": BROKEN + "g, a\n", "scopes.csv": "x\n", "model.conf": "x\n", "expectations.csv": "x"}
    )
    outcome = await make_store(tmp_path).load()
    assert [str(problem).split(": ")[0] for problem in outcome.problems] == [
        "expectations.csv:1:1",
        "model.conf:1:1",
        "policy.csv:1:4",
        "policy.csv:1:39",
        "policy.csv:2:1",
        "scopes.csv:1:1",
    ]


async def test_a_failing_expectation_refuses_the_edit(tmp_path: Path, policies: Path) -> None:
    store = make_store(tmp_path)
    await store.load()
    append(policies, "g, user:vera, role:admin\n")
    outcome = await store.load()
    assert isinstance(outcome, Refused)
    assert {problem.code for problem in outcome.problems} == {"expectation-failed"}
    assert not await allowed(store, "user:vera", "delete_ticket")


async def test_mending_a_refused_edit_clears_the_state(tmp_path: Path, policies: Path) -> None:
    store = make_store(tmp_path)
    await store.load()
    good = store.status
    write(policies, {"policy.csv": BROKEN})
    await store.load()
    write(policies, shipped())
    assert isinstance(await store.load(), Unchanged)
    assert store.status == good


async def test_new_expectations_alone_are_run_but_no_new_revision(tmp_path: Path, policies: Path) -> None:
    store = make_store(tmp_path)
    first = await store.load()
    append(policies, "user:nobody,ops-assistant,tools/call,x,,,deny\n", "expectations.csv")
    assert await store.load() == Unchanged(revision=first.revision)
    assert len(store.current.rules.expectations) == 21
    append(policies, "user:nobody,ops-assistant,tools/call,x,,,allow\n", "expectations.csv")
    assert isinstance(await store.load(), Refused)


async def test_an_engine_that_cannot_mean_the_rows_refuses_the_edit(tmp_path: Path, policies: Path) -> None:
    outcome = await make_store(tmp_path, engine=RefusingEngine()).load()
    assert isinstance(outcome, Refused)
    assert outcome.revision is None
    assert len(outcome.problems) == 7


async def test_an_engine_that_fails_refuses_the_edit(tmp_path: Path, policies: Path) -> None:
    outcome = await make_store(tmp_path, engine=BrokenEngine(EngineError("out of order"))).load()
    assert isinstance(outcome, Refused)
    assert "engine broken cannot compile this: out of order" in outcome.problems[0].message


async def test_an_error_of_ours_is_counted_and_told_and_changes_nothing(tmp_path: Path, policies: Path) -> None:
    told = Told()
    store = make_store(tmp_path, tell=told)
    await store.load()
    policy = store.current
    store.fail(RuntimeError("a bug"))
    assert (store.failures, store.status.stale, store.current) == (1, True, policy)
    assert "RuntimeError: a bug" in told.outcomes[-1].problems[0].message  # type: ignore[union-attr]
    assert isinstance(await store.load(), Unchanged)
    assert not store.status.stale


async def test_an_empty_first_policy_is_applied_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "policies", {"policy.csv": "", "model.conf": MODEL})
    outcome = await make_store(tmp_path).load()
    assert isinstance(outcome, Applied)
    assert [warning.code for warning in outcome.warnings] == ["empty-policy"]


async def test_a_copy_that_cannot_be_kept_is_said_and_the_edit_is_live(tmp_path: Path, policies: Path) -> None:
    write(tmp_path, {"state": "a file where a directory should be"})
    outcome = await make_store(tmp_path).load()
    assert isinstance(outcome, Applied)
    assert [warning.code for warning in outcome.warnings] == ["last-good"]


async def test_a_listener_hears_the_state_at_once_and_then_each_change(tmp_path: Path, policies: Path) -> None:
    store = make_store(tmp_path)
    changes = store.changes()
    async with asyncio.timeout(10):
        assert (await anext(changes)).revision is None
        heard = asyncio.create_task(anext(changes))
        await store.load()
        assert (await heard).revision == store.current.revision
        await store.load()  # unchanged: nothing to hear
        waiting = asyncio.create_task(anext(changes))
        write(policies, {"policy.csv": BROKEN})
        await store.load()
        assert (await waiting).stale


async def test_a_slow_listener_hears_the_newest(tmp_path: Path, policies: Path) -> None:
    store = make_store(tmp_path)
    changes = store.changes()
    async with asyncio.timeout(10):
        await anext(changes)
        await store.load()
        for number in range(3):
            append(policies, f"g, user:bob{number}, role:viewer\n")
            await store.load()
        assert (await anext(changes)).memberships == 8


async def test_a_cancelled_load_changes_nothing_and_the_next_one_works(tmp_path: Path, policies: Path) -> None:
    told = Told()
    store = make_store(tmp_path, tell=told)
    loading = asyncio.create_task(store.load())
    await asyncio.sleep(0)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert (told.outcomes, store.status) == ([], StoreStatus())
    assert isinstance(await store.load(), Applied)


async def test_loads_at_once_are_taken_one_after_the_other(tmp_path: Path, policies: Path) -> None:
    store = make_store(tmp_path)
    outcomes: list[Outcome] = await asyncio.gather(*(store.load() for _ in range(5)))
    assert [type(outcome) for outcome in outcomes] == [Applied] + [Unchanged] * 4


async def test_no_reader_sees_a_mixture_during_fifty_swaps(tmp_path: Path) -> None:
    """Each generation allows its own tool to its own user alone; every answer must fit the revision it came with."""

    def generation(number: int) -> str:
        rows = [f"p, user:u, ops-assistant, tools/call, t{number}, allow", f"g, user:v{number}, role:r"]
        return "\n".join(rows) + "\n"

    policies = write(tmp_path / "policies", {"policy.csv": generation(0), "model.conf": MODEL})
    store = make_store(tmp_path)
    await store.load()
    tool_of = {store.current.revision: "t0"}
    seen: list[tuple[str, str]] = []
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            policy = store.current
            verdict = await policy.compiled.judge(frozenset({"user:u"}), "ops-assistant", "tools/call", "t*")
            assert not verdict
            for rule in policy.rules.rules:
                answer = await policy.compiled.judge(
                    frozenset({"user:u"}), "ops-assistant", "tools/call", rule.tool.text
                )
                await asyncio.sleep(0)
                assert [found.tool.text for found in answer.allows] == [rule.tool.text]
                seen.append((policy.revision, rule.tool.text))
            assert store.status.revision == store.current.revision

    reader = asyncio.create_task(ask())
    for number in range(1, 51):
        write(policies, {"policy.csv": generation(number)})
        outcome = await store.load()
        assert isinstance(outcome, Applied)
        tool_of[outcome.revision] = f"t{number}"
    done.set()
    async with asyncio.timeout(10):
        await reader
    assert len(tool_of) == 51
    assert len(set(seen)) > 10
    assert all(tool_of[revision] == tool for revision, tool in seen)  # type: ignore[index]
