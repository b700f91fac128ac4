"""The store: an edit is live as a whole or not at all, also across a restart."""

import asyncio
from pathlib import Path

import pytest

from authz_sidecar.errors import EngineError, NotReady
from authz_sidecar.model import Server
from authz_sidecar.policy.losses import Size, loss
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Origin, Outcome, Refused, StoreStatus, Unchanged
from authz_sidecar.policy.store import PolicyStore
from tests.policy.plainly import MODEL, BrokenEngine, RefusingEngine, Told, make_store, shipped, write

BROKEN = "p, bob, ops-assistant, tools/call, t, Allow\n"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write(tmp_path / "policies", shipped())


def append(directory: Path, text: str, name: str = "policy.csv") -> None:
    with (directory / name).open("a") as file:
        file.write(text)


async def allowed(store: PolicyStore, subject: str, tool: str) -> bool:
    return bool(await store.current.compiled.judge(frozenset({subject}), "ops-assistant", "tools/call", tool))


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


@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param({"policy.csv": ""}, "all 7 p rows would be lost", id="emptied"),
        pytest.param({"policy.csv": "# nothing\n"}, "all 7 p rows would be lost", id="notes alone"),
        pytest.param({"policy.csv": "p,user:a,*,*,*,allow\n"}, "11 of 12 rows would be lost", id="most rows"),
        pytest.param({"scopes.csv": None}, "all 1 scope rows would be lost", id="scopes deleted"),
    ],
)
async def test_an_edit_that_loses_most_waits_for_a_person(
    tmp_path: Path, policies: Path, files: dict[str, str | None], says: str
) -> None:
    (policies / "expectations.csv").unlink()
    store = make_store(tmp_path)
    await store.load()
    policy = store.current
    for name, content in files.items():
        (policies / name).unlink()
        if content is not None:
            write(policies, {name: content})
    outcome = await store.load()
    assert isinstance(outcome, NeedsConfirmation)
    assert (outcome.revision, store.current) == (policy.revision, policy)
    assert says in outcome.problems[0].message
    assert (store.status.confirmation_needed, store.status.stale) == (True, True)
    assert store.status.problems == outcome.problems
    confirmed = await store.load(confirm=True)
    assert isinstance(confirmed, Applied)
    assert (confirmed.revision, confirmed.previous) == (outcome.candidate, policy.revision)
    assert not store.status.confirmation_needed
    assert not store.status.stale


async def test_a_refused_edit_after_one_that_waits_waits_no_more(tmp_path: Path, policies: Path) -> None:
    (policies / "expectations.csv").unlink()
    store = make_store(tmp_path)
    await store.load()
    write(policies, {"policy.csv": ""})
    await store.load()
    write(policies, {"policy.csv": BROKEN})
    assert isinstance(await store.load(confirm=True), Refused)
    assert not store.status.confirmation_needed


async def test_half_of_the_rows_may_go_unasked(tmp_path: Path, policies: Path) -> None:
    write(
        policies, {"policy.csv": "".join(f"p,user:u{n},*,*,*,allow\n" for n in range(10)), "expectations.csv": HEADER}
    )
    store = make_store(tmp_path)
    await store.load()
    write(policies, {"policy.csv": "".join(f"p,user:u{n},*,*,*,allow\n" for n in range(5))})
    assert isinstance(await store.load(), Applied)


HEADER = "subjects,server,method,tool,scopes,args,expect\n"


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [
        pytest.param((1, 0, 0), (0, 0, 0), True, id="the only rule"),
        pytest.param((0, 0, 0), (0, 0, 0), False, id="nothing from nothing"),
        pytest.param((1, 3, 0), (0, 3, 0), True, id="all rules, not all rows"),
        pytest.param((2, 2, 0), (1, 1, 0), False, id="half"),
        pytest.param((3, 2, 0), (1, 1, 0), True, id="more than half"),
        pytest.param((1, 0, 2), (1, 0, 1), False, id="a scope row of two"),
        pytest.param((1, 0, 1), (1, 0, 0), True, id="the only scope row"),
        pytest.param((1, 0, 0), (9, 9, 9), False, id="growth"),
    ],
)
def test_a_loss_is_measured_in_rows(before: tuple[int, ...], after: tuple[int, ...], asks: bool) -> None:
    sizes = [Size(rules=r, memberships=m, scopes=s) for r, m, s in (before, after)]
    assert bool(loss(*sizes)) is asks


async def test_a_restart_beside_broken_files_answers_by_the_last_good_policy(tmp_path: Path, policies: Path) -> None:
    first = await make_store(tmp_path).load()
    write(policies, {"policy.csv": BROKEN})
    store = make_store(tmp_path)
    outcome = await store.load()
    assert isinstance(outcome, Refused)
    assert outcome.revision == first.revision == store.current.revision
    assert (store.status.origin, store.status.stale, store.status.problems) == (
        Origin.LAST_GOOD,
        True,
        outcome.problems,
    )
    assert await allowed(store, "user:vera", "list_tickets")


async def test_mended_files_after_such_a_restart_are_the_origin_again(tmp_path: Path, policies: Path) -> None:
    first = await make_store(tmp_path).load()
    write(policies, {"policy.csv": BROKEN})
    store = make_store(tmp_path)
    await store.load()
    write(policies, shipped())
    assert await store.load() == Unchanged(revision=first.revision)
    assert (store.status.origin, store.status.stale) == (Origin.FILES, False)


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda path: (path / "policy.csv").unlink(), id="file"),
        pytest.param(lambda path: path.rename(path.with_name("elsewhere")), id="directory"),
    ],
)
async def test_missing_files_leave_the_last_good_policy(tmp_path: Path, policies: Path, lose: object) -> None:
    running = make_store(tmp_path)
    first = await running.load()
    lose(policies)  # type: ignore[operator]
    assert isinstance(await running.load(), Refused)
    assert running.unread
    restarted = make_store(tmp_path)
    outcome = await restarted.load()
    assert isinstance(outcome, Refused)
    assert running.current.revision == restarted.current.revision == first.revision


async def test_a_restart_with_a_spoilt_copy_is_not_ready(tmp_path: Path, policies: Path) -> None:
    await make_store(tmp_path).load()
    write(policies, {"policy.csv": BROKEN})
    write(tmp_path / "state" / "last-good", {"policy.csv": "p, *, *, *, *, allow\n"})
    store = make_store(tmp_path)
    outcome = await store.load()
    assert isinstance(outcome, Refused)
    assert outcome.revision is None
    assert "last-good" in {problem.code for problem in outcome.problems}
    with pytest.raises(NotReady):
        _ = store.current


async def test_a_spoilt_copy_is_no_matter_beside_sound_files(tmp_path: Path, policies: Path) -> None:
    await make_store(tmp_path).load()
    append(policies, "g, user:bob, role:viewer\n")
    write(tmp_path / "state" / "last-good", {"policy.csv": "x"})
    assert isinstance(await make_store(tmp_path).load(), Applied)


async def test_a_copy_that_the_configuration_has_outgrown_is_not_used(tmp_path: Path, policies: Path) -> None:
    await make_store(tmp_path).load()
    write(policies, {"policy.csv": BROKEN})
    other = {"other": Server(name="other", audience="https://other.example")}
    store = make_store(tmp_path, servers=other)
    outcome = await store.load()
    assert isinstance(outcome, Refused)
    assert outcome.revision is None
    assert any(problem.file == "last-good/scopes.csv" for problem in outcome.problems)


async def test_a_restart_with_most_rows_lost_waits_for_a_person(tmp_path: Path, policies: Path) -> None:
    first = await make_store(tmp_path).load()
    (policies / "expectations.csv").unlink()
    write(policies, {"policy.csv": ""})
    store = make_store(tmp_path)
    outcome = await store.load()
    assert isinstance(outcome, NeedsConfirmation)
    assert outcome.revision == first.revision == store.current.revision
    assert (store.status.origin, store.status.confirmation_needed) == (Origin.LAST_GOOD, True)
    assert isinstance(await store.load(confirm=True), Applied)
    assert [warning.code for warning in store.status.warnings] == ["empty-policy"]


async def test_a_loss_against_an_outgrown_copy_waits_with_nothing_in_force(tmp_path: Path, policies: Path) -> None:
    await make_store(tmp_path).load()
    for name in ("expectations.csv", "scopes.csv"):
        (policies / name).unlink()
    write(policies, {"policy.csv": ""})
    store = make_store(tmp_path, servers={"other": Server(name="other", audience="https://other.example")})
    outcome = await store.load()
    assert isinstance(outcome, NeedsConfirmation)
    assert outcome.revision is None
    with pytest.raises(NotReady):
        _ = store.current


async def test_an_edit_made_while_stopped_is_applied(tmp_path: Path, policies: Path) -> None:
    await make_store(tmp_path).load()
    append(policies, "g, user:bob, role:viewer\n")
    assert isinstance(await make_store(tmp_path).load(), Applied)


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
