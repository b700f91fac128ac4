"""Replaying decisions that hang on conditions: by what the log kept, and never by a guess."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.judge import judge
from authz_sidecar.model import Question, Reason
from authz_sidecar.policy.build import Setting, build
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.whens import Conditions
from authz_sidecar.ports import Policy
from tests.conditions.language import CEL
from tests.policy.drawn import CALM, HIERARCHY, SERVERS, files
from tests.policy.test_replay import event, log, replayed

ANY = "p, role:r, desk, tools/call, t, allow\n"
IN = "p, role:r, desk, tools/call, t, allow, \"context.ip == '10.0.0.1'\"\n"
SMALL = 'p, role:r, desk, tools/call, t, allow, "args.amount <= 100"\n'
NEVER_LARGE = 'p, role:r, desk, tools/call, t, deny, "args.amount > 100"\n'
STAFF = "p, role:r, desk, tools/call, t, allow, \"claims.team == 'x'\"\n"
NO = "p, role:r, desk, tools/call, t, deny\n"


def loaded(policy: str) -> Policy:
    conditions = Conditions(language=CEL, claims=frozenset({"team"}), context=frozenset({"ip"}))
    setting = Setting(engine=IndexEngine(), servers=SERVERS, hierarchy=HIERARCHY, conditions=conditions)
    built = asyncio.run(build(files(policy), setting))
    assert built.problems == ()
    assert built.policy is not None
    return built.policy


@pytest.mark.parametrize(
    ("rows", "context", "said"),
    [
        pytest.param(IN, {"ip": "10.0.0.1"}, "allowed", id="the log keeps the context"),
        pytest.param(IN, {"ip": "10.0.0.2"}, "denied", id="another context"),
        pytest.param(IN, {}, "context.ip == '10.0.0.1'", id="a context that is not there"),
        pytest.param(SMALL, {}, "args.amount <= 100", id="arguments are not kept"),
        pytest.param(STAFF, {}, "claims.team == 'x'", id="claims are not kept"),
        pytest.param(SMALL + ANY, {}, "allowed", id="allowed whether it holds or not"),
        pytest.param(SMALL + NO, {}, "denied", id="denied whether it holds or not"),
        pytest.param(NEVER_LARGE, {}, "denied", id="nothing to take away"),
        pytest.param(NEVER_LARGE + ANY, {}, "args.amount > 100", id="a deny row that may hold"),
    ],
)
def test_a_decision_is_replayed_where_the_log_kept_what_is_needed(
    rows: str, context: dict[str, str], said: str
) -> None:
    past = [
        event("role:r", allowed=True, reason="allowed_by_rule", context=context),
        event("role:r", reason="no_matching_rule", context=context),
    ]
    found = replayed(loaded(rows), log(*past))
    unknown = {text for one in found for text in one.hangs_on}
    changed = [one for one in found if not one.hangs_on]
    if said in ("allowed", "denied"):
        assert unknown == set()
        assert [one.opens for one in changed if one.opens or one.closes] == [said == "allowed"]
    else:
        assert (unknown, changed) == ({said}, [])


_rows = st.lists(st.sampled_from([ANY, SMALL, NEVER_LARGE, NO, IN]), min_size=1, max_size=4, unique=True).map("".join)


@CALM
@given(_rows, st.booleans(), st.sampled_from([b'{"amount": 7}', b'{"amount": 700}', b"{}"]))
def test_what_is_said_for_certain_is_so_whatever_the_arguments_were(rows: str, inside: bool, arguments: bytes) -> None:
    policy = loaded(rows)
    context = {"ip": "10.0.0.1" if inside else "10.0.0.2"}
    asked = Question(method="tools/call", tool="t", arguments=arguments)
    really = asyncio.run(judge(policy, caller(["role:r"]), SERVERS["desk"], asked, HIERARCHY, context=context))
    opposite = event(
        "role:r",
        allowed=not really.allowed,
        reason=(Reason.NO_MATCHING_RULE if really.allowed else Reason.ALLOWED_BY_RULE).value,
        context=context,
    )
    (found,) = replayed(policy, log(opposite))
    assert found.hangs_on or found.after.allowed is really.allowed
