"""What we make of a Casbin model and its rows answers as pycasbin does."""

from collections import Counter
from dataclasses import replace

import casbin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.engines.plain import PlainEngine, PlainPolicy
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.model import read_model
from authz_sidecar.rules import Pattern, Rules, Verdict
from tests.effort import examples
from tests.engines import differential
from tests.engines.differential import differences, draw, stock
from tests.engines.wrong import Judge, WrongEngine, first_match_wins
from tests.policy.test_model import model


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**48))
def test_every_engine_answers_as_pycasbin_does(seed: int) -> None:
    assert differences(draw(seed)) == []


def forgets_domains(
    rules: Rules, _plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    anywhere = tuple(replace(row, server=None) for row in rules.memberships)
    return _other(replace(rules, memberships=anywhere), subjects, server, method, tool)


def forgets_groups(
    rules: Rules, _plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    return _other(replace(rules, tool_groups=()), subjects, server, method, tool)


def forgets_denies(
    _rules: Rules, plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    return Verdict(allows=plain.verdict(subjects, server, method, tool).allows)


def follows_roles_one_step(
    rules: Rules, _plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    rows = tuple(row for row in rules.memberships if row.server in (None, server) and row.member in subjects)
    return _other(replace(rules, memberships=rows), subjects, server, method, tool)


def reads_every_name_as_a_beginning(
    rules: Rules, _plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    loose = tuple(replace(rule, tool=Pattern(rule.tool.text, prefix=True)) for rule in rules.rules)
    return _other(replace(rules, rules=loose), subjects, server, method, tool)


def _other(rules: Rules, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
    return PlainEngine().compile(rules).verdict(subjects, server, method, tool)


KEPT = {
    first_match_wins: 23,
    forgets_domains: 21,
    forgets_groups: 0,
    forgets_denies: 23,
    follows_roles_one_step: 18,
    reads_every_name_as_a_beginning: 0,
}
"""Seeds of policies on which an engine with this mistake was found. Seeds of our own mistakes go into `FOUND`."""

FOUND: tuple[int, ...] = ()
"""Seeds on which an engine of ours once disagreed with pycasbin, or refused what it takes."""


@pytest.mark.parametrize("seed", [*FOUND, *sorted(set(KEPT.values()))])
def test_kept_seeds_stay_agreed(seed: int) -> None:
    assert differences(draw(seed)) == []


@pytest.mark.parametrize(("mistake", "seed"), [pytest.param(one, KEPT[one], id=one.__name__) for one in KEPT])
def test_a_mistake_is_found_on_its_seed(mistake: Judge, seed: int) -> None:
    found = differences(draw(seed), WrongEngine(mistake))
    assert found
    assert all("wrong says" in one for one in found)


def test_the_draws_reach_every_family_and_both_answers() -> None:
    seen: Counter[str] = Counter()
    for seed in range(200):
        case = draw(seed)
        shape = read_model("model.conf", case.model.encode(), Findings())
        assert shape is not None
        enforcer = stock(case)
        answers = {enforcer.enforce(*question) for question in case.questions[:10]}
        kind = "foreign" if shape.foreign else f"{shape.roles} places{', groups' * shape.groups}"
        seen.update(f"{kind}: {answer}" for answer in answers)
    kinds = ("foreign", "0 places", "2 places", "2 places, groups", "3 places", "3 places, groups")
    assert {f"{kind}: {answer}" for kind in kinds for answer in (True, False)} <= seen.keys()


def test_an_engine_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differential, "PlainEngine", differential.IndexEngine)
    monkeypatch.setitem(differential.WORDS, "obj", ("a",))
    case = next(case for case in map(draw, range(100)) if "allow" in str(case.rows) and "deny" in str(case.rows))
    swapped = tuple(tuple({"allow": "deny", "deny": "allow"}.get(field, field) for field in row) for row in case.rows)
    enforcer = stock(case)
    monkeypatch.setattr(differential, "stock", lambda _case: enforcer)
    wrong = differential.Draw(
        seed=case.seed, model=case.model, rows=swapped, questions=case.questions, fields=case.fields
    )
    assert differences(wrong)


# What pycasbin does when nobody watches: here we differ from it, and mean to.


def test_casbin_glues_words_round_an_operator_without_blanks_and_we_do_not() -> None:
    text = model("sub, obj", "r.sub == p.sub&&r.obj == p.obj", p="sub, obj")
    with pytest.raises(Exception, match="is not defined for expression"):
        casbin.Enforcer(casbin.Enforcer.new_model(text=text)).enforce("user:a", "b")
    assert read_model("model.conf", text.encode(), Findings()) is not None
    loose = read_model(
        "model.conf", text.replace("p.sub&&r.obj == p.obj", "p.sub&&!(r.obj == p.obj)").encode(), Findings()
    )
    assert loose is not None
    assert "p.sub && !(r.obj" in loose.foreign


def test_casbin_stops_at_depth_ten_and_we_do_not() -> None:
    chain = tuple(("g", f"role:{depth}", f"role:{depth + 1}") for depth in range(12))
    case = differential.Draw(
        seed=0,
        model=model("sub, obj", "g(r.sub, p.sub) && r.obj == p.obj", g="g = _, _"),
        rows=(*chain, ("p", "role:0", "x", "allow"), ("p", "role:12", "x", "deny")),
        questions=(("role:0", "x"),),
        fields=("sub", "obj"),
    )
    assert stock(case).enforce("role:0", "x") is True
    assert differences(case) == [
        f"('role:0', 'x'): pycasbin says True, {name} says False" for name in ("casbin", "pycasbin", "index", "plain")
    ]
