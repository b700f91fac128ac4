"""Grants that end: how an end is written, what it takes away and what it never does, and who is reminded."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.check import check
from authz_sidecar.policy.ending import EndingPolicy, ending, reminders
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.lines import Line
from authz_sidecar.policy.outcomes import Applied, Reminded, Unchanged
from authz_sidecar.policy.parse import parse
from authz_sidecar.policy.until import Ends, moment, spelled
from authz_sidecar.rules import ANY, Effect, Membership, Pattern, Rule, Rules
from tests.policy.plainly import MODEL, SERVERS, LinearEngine, LinearPolicy, Told, allowed, make_store, shipped, write

DAY = 86_400.0
END = datetime(2027, 2, 1, tzinfo=UTC).timestamp()
"""The first second that is not the 31st of January any more."""


@dataclass
class Clock:
    now: float = END - 30 * DAY

    def __call__(self) -> float:
        return self.now


def read(policy: str) -> tuple[Rules, list[str]]:
    found = Findings()
    parsed = parse({"policy.csv": policy.encode(), "model.conf": MODEL}, found)
    return parsed.rules, [str(problem) for problem in found.problems]


@pytest.mark.parametrize(
    ("line", "until"),
    [
        pytest.param("# until 2027-01-31", END, id="a day"),
        pytest.param("#until 2027-01-31", END, id="no blank"),
        pytest.param("  #  until \t 2027-01-31  ", END, id="many blanks"),
        pytest.param("## until 2027-01-31", END, id="two marks"),
        pytest.param('"# until 2027-01-31",,,', END, id="a spreadsheet's"),
        pytest.param("# until 2027-01-31T23:30Z", END - 1_800, id="a moment"),
        pytest.param("# until 2027-01-31T23:30:15+01:00", END - 5_385, id="a moment elsewhere"),
    ],
)
def test_an_end_belongs_to_the_row_below(line: str, until: float) -> None:
    rules, problems = read(f"{line}\np, user:a, *, *, *, allow\np, user:b, *, *, *, allow\n{line}\ng, user:a, role:b\n")
    assert not problems
    assert [row.until for row in rules.rules] == [until, None]
    assert [row.until for row in rules.memberships] == [until]


@pytest.mark.parametrize(
    "line",
    [
        "# until further notice",
        "# until 2027-1-31",
        "# until 31.01.2027",
        "# until 2027-02-30",
        "# until 1999-01-01",
        "# until 2027-01-31T18:00",
        "# until 2027-01-31 18:00Z",
        "# until: 2027-01-31",
        "# until",
        "# Until 2027-01-31",
        "# untill 2027-01-31",
        "# unitl: 2027-01-31",
    ],
)
def test_what_could_be_meant_as_an_end_is_never_a_note(line: str) -> None:
    _, problems = read(f"{line}\np, user:a, *, *, *, allow\n")
    assert len(problems) == 1
    assert "2027-01-31" in problems[0]
    assert problems[0].startswith("policy.csv:1:1: ")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# until 2027-01-31\n\np, user:a, *, *, *, allow\n", id="a blank line between"),
        pytest.param("# until 2027-01-31\n# note\np, user:a, *, *, *, allow\n", id="a note between"),
        pytest.param("p, user:a, *, *, *, allow\n# until 2027-01-31\n", id="at the end"),
        pytest.param("# until 2027-01-31\n# until 2027-02-28\np, user:a, *, *, *, allow\n", id="two"),
    ],
)
def test_an_end_that_no_row_takes_is_refused(text: str) -> None:
    _, problems = read(text)
    assert [problem.partition(": ")[2] for problem in problems] == [
        "`# until` must stand directly above the row that ends"
    ]


@pytest.mark.parametrize("note", ["# unlike 5 others", "# until-ish", "# 2027-01-31", "#", "# since 2027-01-31"])
def test_notes_stay_notes(note: str) -> None:
    rules, problems = read(f"{note}\np, user:a, *, *, *, allow\n")
    if note == "# until-ish":
        assert problems  # what begins with the word is held to it
    else:
        assert (problems, rules.rules[0].until) == ([], None)


@given(st.integers(978_307_200, 29_000_000_000))
def test_an_end_is_spelled_as_it_is_read(at: int) -> None:
    assert moment(spelled(at)) == at


@given(st.text())
def test_any_comment_is_looked_at_without_an_error_of_ours(text: str) -> None:
    ends = Ends("x.csv", Findings())
    ends.note(Line(1, f"#{text}"))
    ends.take(2)


POLICY = """\
p, role:a, ops-assistant, tools/call, x, allow
# until 2027-01-31
p, user:u, ops-assistant, tools/call, y, allow
# until 2027-01-31
p, user:u, ops-assistant, tools/call, z, deny
p, role:b, ops-assistant, tools/call, z, allow
p, role:a, ops-assistant, tools/call, w, deny
p, role:b, ops-assistant, tools/call, w, allow
g, user:u, role:b
# until 2027-01-31
g, user:u, role:a
"""


@pytest.mark.parametrize(
    ("at", "tools"),
    [
        pytest.param(END - 1, "xy", id="a second before"),
        pytest.param(END, "", id="in that second"),
        pytest.param(END + 1_000 * DAY, "", id="long after"),
    ],
)
async def test_an_end_takes_allow_rows_away_and_no_deny_row(tmp_path: Path, at: float, tools: str) -> None:
    files = {"policy.csv": POLICY.encode(), "model.conf": MODEL}
    clock = Clock()
    write(tmp_path / "policies", files)
    store = make_store(tmp_path, tell=Told(), clock=clock)
    await store.load()
    clock.now = at
    assert [tool for tool in "wxyz" if await allowed(store, "user:u", tool)] == list(tools)


_NAMES = ["user:u", "role:a", "role:b", "role:c"]
_until = st.sampled_from([None, 10.0, 20.0])


@st.composite
def policies(draw: st.DrawFn) -> Rules:
    rules = tuple(
        Rule(
            subject=Pattern(draw(st.sampled_from(_NAMES))),
            server=ANY,
            method=ANY,
            tool=ANY,
            effect=draw(st.sampled_from(Effect)),
            source="x",
            line=line,
            text="",
            until=draw(_until),
        )
        for line in range(draw(st.integers(0, 5)))
    )
    memberships = tuple(
        Membership(
            member=draw(st.sampled_from(_NAMES)),
            role=draw(st.sampled_from(_NAMES[1:])),
            source="x",
            line=line,
            text="",
            server=draw(st.sampled_from([None, "s"])),
            until=draw(_until),
        )
        for line in range(draw(st.integers(0, 5)))
    )
    return Rules(rules=rules, memberships=memberships)


def without_servers(rules: Rules, server: str) -> Rules:
    kept = tuple(row for row in rules.memberships if row.server in (None, server))
    return replace(rules, memberships=kept)


@given(policies(), st.sampled_from([0.0, 10.0, 15.0, 25.0]), st.sampled_from(["s", "t"]))
async def test_time_never_opens_and_allows_only_what_is_left(rules: Rules, now: float, server: str) -> None:
    here = without_servers(rules, server)
    live = Rules(
        rules=tuple(row for row in here.rules if row.until is None or now < row.until),
        memberships=tuple(row for row in here.memberships if row.until is None or now < row.until),
    )
    subjects = frozenset({"user:u"})
    found = await EndingPolicy(LinearPolicy(here), rules, lambda: now).judge(subjects, server, "m", "t")
    everything = await LinearPolicy(here).judge(subjects, server, "m", "t")
    left = await LinearPolicy(live).judge(subjects, server, "m", "t")
    assert found.denies == everything.denies
    assert found.allows == left.allows
    assert bool(everything) or not found


async def test_expectations_are_run_by_the_rows_as_they_stand(tmp_path: Path) -> None:
    """A restart must not be refused because a day has gone by."""
    expects = b"subjects,server,method,tool,scopes,args,expect\nuser:u, ops-assistant, tools/call, y, , , allow\n"
    write(tmp_path / "policies", {"policy.csv": POLICY.encode(), "model.conf": MODEL, "expectations.csv": expects})
    clock = Clock(END + DAY)
    store = make_store(tmp_path, tell=Told(), clock=clock)
    assert isinstance(await store.load(), Applied)
    assert not await allowed(store, "user:u", "y")


@pytest.mark.parametrize(
    ("at", "says"),
    [
        pytest.param(END - 7 * DAY - 1, [], id="more than a week before"),
        pytest.param(END - 7 * DAY, ["ends-soon", "ends-soon"], id="a week before"),
        pytest.param(END - 1, ["ends-soon", "ends-soon"], id="a second before"),
        pytest.param(END, ["ended", "ended"], id="after"),
    ],
)
def test_ends_are_told_a_week_before_and_after(at: float, says: list[str]) -> None:
    found = reminders(ending(read(POLICY)[0]), at)
    assert [one.code for one in found if one.code != "deny-does-not-end"] == says
    assert [one.line for one in found if one.code == "deny-does-not-end"] == [5]
    assert all("2027-01-31" in one.message for one in found if one.code != "deny-does-not-end")


async def test_the_store_reminds_while_it_runs_and_once_for_each_change(tmp_path: Path) -> None:
    write(tmp_path / "policies", shipped())
    with (tmp_path / "policies/policy.csv").open("a") as file:
        file.write("# until 2027-01-31\ng, user:noor, role:support\n")
    clock, told = Clock(), Told()
    store = make_store(tmp_path, tell=told, clock=clock)
    await store.load()
    before = store.status.warnings
    store.remind()
    for now, code in ((END - DAY, "ends-soon"), (END, "ended")):
        clock.now = now
        store.remind()
        store.remind()
        assert [one.code for one in store.status.warnings if one not in before] == [code]
    assert [type(one) for one in told.outcomes] == [Applied, Reminded, Reminded]
    assert isinstance(await store.load(), Unchanged)
    assert [one.code for one in store.status.warnings if one not in before] == ["ended"]


async def test_a_look_before_it_goes_live_tells_of_ends_as_well(tmp_path: Path) -> None:
    directory = write(tmp_path, {"policy.csv": b"# until 2020-01-31\ng, user:a, role:b\n", "model.conf": MODEL})
    report = await check(directory, engine=LinearEngine(), servers=SERVERS)
    assert "ended" in [one.code for one in report.warnings]


GROUPS = b"""
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && g2(r.obj, p.obj) && r.act == p.act
"""


async def test_a_tool_cannot_leave_its_group_by_itself(tmp_path: Path) -> None:
    policy = b"p, role:a, all, tools/call\n# until 2027-01-31\ng2, x, all\n# until 2027-01-31\ng, user:a, role:a\n"
    report = await check(
        write(tmp_path, {"policy.csv": policy, "model.conf": GROUPS}), engine=LinearEngine(), servers=SERVERS
    )
    assert [str(one) for one in report.problems] == [
        "policy.csv:3: a g2 row cannot end, put the `# until` above a p or g row"
    ]
