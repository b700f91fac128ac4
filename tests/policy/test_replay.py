"""The decision log read back: what would be answered otherwise, and which rows are missing."""

import asyncio
from collections.abc import Iterable

import pytest

from authz_sidecar.errors import PolicyProblems
from authz_sidecar.events import AdminEvent, DecisionEvent, RuleLine, Who, encode
from authz_sidecar.policy import logs
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse_policy
from authz_sidecar.policy.replay import Changed, replay
from authz_sidecar.policy.suggest import as_csv, suggest
from authz_sidecar.ports import Policy
from tests.policy.drawn import HIERARCHY, SERVERS, loaded

RULES = """\
p, role:r, desk, tools/call, t, allow
p, user:m, desk, *, *, deny
g, user:a, role:r
g, user:b, role:s
g, role:s, role:r
"""


def event(
    *subjects: str, tool: str = "t", allowed: bool = False, reason: str = "no_matching_rule", **more: object
) -> DecisionEvent:
    fields: dict[str, object] = {
        "v": 1,
        "time": "2026-03-04T05:06:07.000000Z",
        "decision_id": "d1",
        "server": "desk",
        "allowed": allowed,
        "reason": reason,
        "mode": "enforce",
        "revision": "sha256:0",
        "method": "tools/call",
        "tool": tool,
        "who": Who(issuer="i", subject="s", subjects=subjects, scopes=("s1",)) if subjects else None,
    }
    return DecisionEvent(**(fields | more))  # type: ignore[arg-type] # named by the tests


def log(*events: DecisionEvent | AdminEvent) -> logs.Log:
    return logs.read("log", [encode(one) for one in events])


def replayed(policy: Policy, found: logs.Log) -> list[Changed]:
    async def ask() -> list[Changed]:
        return [one async for one in replay(found, policy, SERVERS, HIERARCHY)]

    return asyncio.run(ask())


def test_only_what_changes_is_told_and_alike_questions_once() -> None:
    found = log(
        event("user:a", allowed=True, reason="allowed_by_rule"),
        event("user:z"),
        event("user:a"),
        event("user:a", decision_id="d2"),
        event("user:m", allowed=True, reason="allowed_by_rule"),
        event("user:z", reason="denied_by_rule"),
    )
    told = replayed(loaded(RULES), found)
    assert [(one.asked.subjects, one.times, one.opens, one.closes, one.decision_id) for one in told] == [
        (("user:a",), 2, True, False, "d2"),
        (("user:m",), 1, False, True, "d1"),
        (("user:z",), 1, False, False, "d1"),
    ]


def test_scopes_of_the_token_are_replayed() -> None:
    said = event("user:a", allowed=True, reason="allowed_by_rule")
    assert replayed(loaded(RULES, scopes="desk,tools/call,t,s1\n"), log(said)) == []
    (changed,) = replayed(loaded(RULES, scopes="desk,tools/call,t,s2\n"), log(said))
    assert changed.after.reason == "insufficient_scope"


def test_a_server_that_is_gone_is_a_no() -> None:
    (changed,) = replayed(loaded(RULES), log(event("user:a", server="gone", allowed=True, reason="allowed_by_rule")))
    assert changed.after.reason == "server_unknown"


def test_what_no_policy_decides_is_counted_and_left_out() -> None:
    found = log(
        event(reason="token_expired", repeated=3),
        AdminEvent(v=1, time="t", action="start", outcome="listening"),
        event("user:a", method="ping", allowed=True, rules=(RuleLine(source="builtin", allow=True),)),
        event("user:a", method="tools/list", tool="", reason="batch", items=3, denied=("tools/list x",)),
    )
    assert (found.events, found.unverified, found.untold) == (3, 4, 2)
    assert [one.tool for one in found.asked] == ["x"]
    assert replayed(loaded(RULES), found) == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"{}", id="no type"),
        pytest.param(b"x", id="no JSON"),
        pytest.param(b'{"type":"decision","v":1}', id="fields are missing"),
        pytest.param(b'{"type":"decision","' + b"x" * 5_000_000, id="too long"),
    ],
)
def test_a_line_that_is_none_of_ours_is_told_with_its_place(line: bytes) -> None:
    with pytest.raises(PolicyProblems, match=r"^log:3: is not a decision event: "):
        logs.read("log", [encode(event("user:a")), b"\n", line])


def suggested(found: logs.Log, *, by_user: bool = False, policy: str = RULES) -> list[str]:
    rows = asyncio.run(suggest(found, loaded(policy), SERVERS, HIERARCHY, by_user=by_user)).rows
    return [one.row for one in rows]


@pytest.mark.parametrize(
    ("events", "rows"),
    [
        pytest.param([event("user:a", tool="u")], ["p, role:r, desk, tools/call, u, allow"], id="for the role held"),
        pytest.param(
            [event("user:z", tool="u")], ["p, user:z, desk, tools/call, u, allow"], id="for one without a role"
        ),
        pytest.param(
            [event("user:z", "role:x", tool="u")], ["p, role:x, desk, tools/call, u, allow"], id="for a role carried"
        ),
        pytest.param(
            [event("user:b", tool="u")],
            ["p, role:s, desk, tools/call, u, allow"],
            id="not for a role that is inherited",
        ),
        pytest.param(
            [event("client:c", tool="u")], ["p, client:c, desk, tools/call, u, allow"], id="for a client without a user"
        ),
        pytest.param(
            [event("user:a", method="tools/list", tool="", reason="batch", items=1, denied=("tools/list u",))],
            ["p, role:r, desk, tools/call, u, allow"],
            id="what was hidden from a list is what could be called",
        ),
        pytest.param(
            [event("user:y", "role:x", "role:w", tool="u"), event("user:z", "role:w", tool="u")],
            ["p, role:w, desk, tools/call, u, allow"],
            id="for the role that they share",
        ),
        pytest.param(
            [event("user:a", "agent:x", tool="t")],
            ["p, agent:x, desk, tools/call, t, allow"],
            id="for the agent where the user has a row",
        ),
        pytest.param(
            [event("user:a", "agent:x", tool="u")],
            ["p, role:r, desk, tools/call, u, allow", "p, agent:x, desk, tools/call, u, allow"],
            id="for the user and the agent",
        ),
        pytest.param([event("user:a", tool="u*")], ["p, role:r, desk, tools/call, u\\*, allow"], id="never a pattern"),
        pytest.param([event("user:a", tool="a,b")], ['p, role:r, desk, tools/call, "a,b", allow'], id="quoted"),
        pytest.param([event("user:a", tool="a\nb")], [], id="not what no row can spell"),
        pytest.param([event("user:a", tool="file:///../x", method="resources/read")], [], id="not an unsafe URI"),
        pytest.param([event("user:m", tool="u", reason="denied_by_rule")], [], id="not against a deny row"),
        pytest.param([event("user:a", tool="t")], [], id="not what is allowed by now"),
        pytest.param([event("user:a", tool="u", server="gone")], [], id="not for a server that is gone"),
        pytest.param([event("user:a", tool="u", method="x/z")], [], id="not an unknown method"),
        pytest.param([event("user:a", tool="", method="tools/list")], [], id="not the list request itself"),
    ],
)
def test_rows_are_suggested_for_what_was_seen_and_no_more(events: Iterable[DecisionEvent], rows: list[str]) -> None:
    assert suggested(log(*events)) == rows


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(event("user:a", tool="a\nb"), id="a name that no row can spell"),
        pytest.param(event("user:", tool="u"), id="a caller without a name"),
    ],
)
def test_what_no_row_can_name_is_counted(lost: DecisionEvent) -> None:
    found = asyncio.run(suggest(log(event("user:a", tool="u"), lost, lost), loaded(RULES), SERVERS, HIERARCHY))
    assert [one.row for one in found.rows] == ["p, role:r, desk, tools/call, u, allow"]
    assert [(asked.tool, times) for asked, times in found.left_out.items()] == [(lost.tool, 2)]


def test_by_user_names_the_callers_alone() -> None:
    found = log(event("user:a", "role:x", tool="u"), event("user:b", tool="u"))
    assert suggested(found, by_user=True) == [
        "p, user:a, desk, tools/call, u, allow",
        "p, user:b, desk, tools/call, u, allow",
    ]


def test_what_is_suggested_loads_and_answers_what_was_asked() -> None:
    found = log(*(event("user:a", tool=tool) for tool in ("u", "a,b", "#x", 'q"', "ü", "*")))
    rows = asyncio.run(suggest(found, loaded(RULES), SERVERS, HIERARCHY)).rows
    text = "\n".join(as_csv(rows)) + "\n"
    rules, _ = parse_policy(text.encode(), {}, (problems := Findings()))
    assert problems.problems == ()
    assert len(rules) == len(rows) == 6
    assert not any(rule.tool.prefix for rule in rules)
    assert replayed(loaded(RULES + text), found) != []
    assert suggested(found, policy=RULES + text) == []


def test_comments_say_who_asked_and_cannot_be_broken_out_of() -> None:
    found = log(*(event(f"user:{name}", "role:x", tool="u") for name in ("a\nq", "b", "c", "d", "e", "f")))
    lines = list(as_csv(asyncio.run(suggest(found, loaded(RULES), SERVERS, HIERARCHY)).rows))
    assert lines == [
        "",
        "# role:x: everybody who has this name gets the rows below.",
        "# asked by user:a?q 1x, user:b 1x, user:c 1x, user:d 1x, user:e 1x and 1 more",
        "p, role:x, desk, tools/call, u, allow",
    ]
