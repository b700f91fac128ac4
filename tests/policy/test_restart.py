"""The store across a restart: the last good policy answers until the files are sound."""

from pathlib import Path

import pytest

from authz_sidecar.errors import NotReady
from authz_sidecar.model import Server
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Origin, Refused, Unchanged
from tests.policy.plainly import (
    BROKEN,
    allowed,
    append,
    make_store,
    shipped,
    write,
)


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
