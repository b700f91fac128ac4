"""The Casbin engine answers as the rows do, or not at all."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from authz_sidecar.engines.casbin import DEFAULT_MODEL, PycasbinEngine, PycasbinPolicy
from authz_sidecar.errors import EngineError, PolicyProblems
from authz_sidecar.rules import Rules, Verdict
from authz_sidecar.testing.cases import rows

ANN = frozenset({"user:ann"})
READ = rows(("user:ann", "ops", "tools/call", "read", "allow"))


def _judge(policy: PycasbinPolicy, subjects: frozenset[str] = ANN, tool: str = "read") -> Verdict:
    return asyncio.run(policy.judge(subjects, "ops", "tools/call", tool))


@pytest.fixture
def casbin_loggers() -> Iterator[list[logging.Logger]]:
    loggers = [logging.getLogger(name) for name in ("casbin", "casbin.enforcer", "casbin.policy", "casbin.role")]
    before = [logger.disabled for logger in loggers]
    yield loggers
    for logger, disabled in zip(loggers, before, strict=True):
        logger.disabled = disabled


def test_the_loggers_of_other_users_of_casbin_stay_as_they_were(casbin_loggers: list[logging.Logger]) -> None:
    for number, logger in enumerate(casbin_loggers):
        logger.disabled = number % 2 == 1
    PycasbinEngine().compile(READ)
    assert [logger.disabled for logger in casbin_loggers] == [False, True, False, True]


def test_a_denial_logs_nothing_about_the_caller(
    casbin_loggers: list[logging.Logger], caplog: pytest.LogCaptureFixture
) -> None:
    for logger in casbin_loggers:
        logger.disabled = False
    with caplog.at_level(logging.DEBUG):
        assert not _judge(PycasbinEngine().compile(READ), tool="write")
    assert "user:ann" not in caplog.text


def test_an_enforcer_that_is_switched_off_is_an_error() -> None:
    policy = PycasbinEngine().compile(READ)
    policy._enforcer.enable_enforce(False)
    with pytest.raises(EngineError, match="switched off"):
        _judge(policy, tool="write")


def test_casbin_is_asked_once_about_all_names_at_once() -> None:
    policy = PycasbinEngine().compile(
        rows(
            ("user:ann", "role:staff"),
            ("role:staff", "ops", "tools/call", "read", "allow"),
            ("group:out", "ops", "tools/call", "read", "deny"),
        )
    )
    counting = _Counting(policy._enforcer)
    verdict = _judge(PycasbinPolicy(_rules_of(policy), counting), frozenset({"user:ann", "group:out"}))
    assert [rule.line for rule in verdict.denies] == [3]
    assert counting.asked == [frozenset({"user:ann", "role:staff", "group:out"})]


class _Counting:
    enabled = True

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.asked: list[frozenset[str]] = []

    def enforce(self, held: object, *rest: str) -> bool:
        self.asked.append(held.names)  # type: ignore[attr-defined]
        return self._inner.enforce(held, *rest)  # type: ignore[attr-defined, no-any-return]


def _rules_of(policy: PycasbinPolicy) -> Rules:
    return Rules(rules=policy._plain._rules, memberships=rows(("user:ann", "role:staff")).memberships)


class _Says:
    """An enforcer with an answer of its own."""

    enabled = True

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def enforce(self, *_asked: object) -> object:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "tool", "message"),
    [
        pytest.param(True, "write", "casbin says yes, the rows say no", id="a yes that no row explains"),
        pytest.param(False, "read", "casbin says no, the rows say yes", id="a no against the rows"),
        pytest.param(1, "read", "answered a int", id="a one is not a yes"),
        pytest.param(None, "write", "answered a NoneType", id="nothing is not a no"),
        pytest.param("True", "read", "answered a str", id="a word is not a yes"),
        pytest.param(RuntimeError("invalid policy size"), "read", "invalid policy size", id="an exception"),
        pytest.param(RecursionError("deep"), "read", "RecursionError", id="an exception of the interpreter"),
    ],
)
def test_an_answer_that_is_not_certain_is_an_error(answer: object, tool: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        _judge(PycasbinPolicy(READ, _Says(answer)), tool=tool)


def test_an_error_prints_odd_input_in_one_plain_line() -> None:
    with pytest.raises(EngineError) as caught:
        _judge(PycasbinPolicy(READ, _Says(True)), tool="a\nb\x1b[31m\u202e")
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_an_empty_policy_does_not_ask_casbin() -> None:
    policy = PycasbinPolicy(Rules(), _Says(True))
    assert not asyncio.run(policy.judge(frozenset({""}), "", "", ""))


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("", id="none: the default"),
        pytest.param(DEFAULT_MODEL, id="the default itself"),
        pytest.param(DEFAULT_MODEL.replace(" ", "  ").replace("r =", "r="), id="other spaces"),
        pytest.param("# ours\n" + DEFAULT_MODEL, id="a comment"),
        pytest.param(
            DEFAULT_MODEL.partition("m = ")[0]
            + "m = match(r.tool, p.tool) && match(r.server, p.server) && g(r.sub, p.sub) && match(r.method, p.method)",
            id="another order of the terms",
        ),
    ],
)
def test_a_model_of_our_family_judges(model: str) -> None:
    policy = PycasbinEngine().compile(replace(READ, model=model))
    assert _judge(policy)
    assert not _judge(policy, tool="write")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param("random words", "cannot read", id="not a model"),
        pytest.param("[x", "cannot read", id="not even a section"),
        pytest.param(DEFAULT_MODEL.partition("[matchers]")[0], "exactly one definition", id="no matcher"),
        pytest.param(DEFAULT_MODEL + "m2 = true\n", "exactly one definition", id="a second matcher"),
        pytest.param(DEFAULT_MODEL.replace("r = sub, server", "r = sub, dom"), "expected `r =", id="other words"),
        pytest.param(DEFAULT_MODEL.replace(", eft", ""), "expected `p =", id="no effect: all rows allow"),
        pytest.param(DEFAULT_MODEL.replace("g = _, _", "g = _, _, _"), "expected `g =", id="roles by domain"),
        pytest.param(
            DEFAULT_MODEL.replace(" && !some(where (p.eft == deny))", ""), "expected `e =", id="denies do not count"
        ),
        pytest.param(DEFAULT_MODEL.replace("match(r.tool, p.tool)", "true"), "matcher", id="any tool"),
        pytest.param(DEFAULT_MODEL.replace("&& match(r.tool", "|| match(r.tool"), "matcher", id="or instead of and"),
        pytest.param(DEFAULT_MODEL.replace("match(r.tool", "regexMatch(r.tool"), "matcher", id="another match"),
        pytest.param(DEFAULT_MODEL.replace("match(r.tool", 'eval("1") && match(r.tool'), "matcher", id="eval"),
    ],
)
def test_a_model_that_means_something_else_is_refused(model: str, message: str) -> None:
    with pytest.raises(PolicyProblems, match=message) as caught:
        PycasbinEngine().compile(replace(READ, model=model))
    assert [problem.file for problem in caught.value.problems] == ["model.conf"]


def test_a_text_in_place_of_a_pattern_is_an_error_and_not_a_match() -> None:
    policy = PycasbinEngine().compile(READ)
    policy._enforcer.model["p"]["p"].policy[0][3] = "*"
    with pytest.raises(EngineError, match="AttributeError"):
        _judge(policy)


def test_a_row_that_was_lost_inside_casbin_is_noticed() -> None:
    policy = PycasbinEngine().compile(READ)
    policy._enforcer.add_function("match", lambda *_args: False)
    with pytest.raises(EngineError, match="casbin says no, the rows say yes"):
        _judge(policy)


async def test_a_long_batch_lets_other_callers_in() -> None:
    policy = PycasbinEngine().compile(READ)
    order: list[str] = []

    async def batch() -> None:
        for _ in range(3):
            await policy.judge(ANN, "ops", "tools/call", "read")
            order.append("batch")

    async def other() -> None:
        await policy.judge(ANN, "ops", "tools/call", "read")
        order.append("other")

    await asyncio.gather(batch(), other())
    assert order.index("other") < 2


def test_the_shipped_model_is_of_our_family() -> None:
    shipped = Path(__file__).parents[2] / "policies" / "model.conf"
    assert _judge(PycasbinEngine().compile(replace(READ, model=shipped.read_text("utf-8"))))
