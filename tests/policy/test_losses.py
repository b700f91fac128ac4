"""An edit that loses most of a policy waits for a person."""

from pathlib import Path

import pytest

from authz_sidecar.policy.losses import Size, loss
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Refused
from tests.policy.plainly import BROKEN, make_store, write


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
