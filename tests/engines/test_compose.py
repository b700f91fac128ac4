"""Several engines decide together: every combination of answers, and an error never turns into a yes."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from authz_sidecar.engines.compose import ComposedEngine, Mode
from authz_sidecar.engines.plain import PlainEngine, PlainPolicy
from authz_sidecar.engines.registry import load
from authz_sidecar.errors import ConfigError, EngineError, PolicyProblems, Problem
from authz_sidecar.rules import Foreign, Rules, Verdict
from authz_sidecar.testing.cases import rows
from authz_sidecar.testing.engines import check_engine

ALLOW, DENY = rows(
    ("user:ann", "ops", "call", "x", "allow"),
    ("user:ann", "ops", "call", "x", "deny"),
).rules
ANSWERS = {
    "yes": Verdict(allows=(ALLOW,)),
    "no": Verdict(denies=(DENY,)),
    "both": Verdict(allows=(ALLOW,), denies=(DENY,)),
    "silence": Verdict(),
}


@dataclass
class Says:
    """An engine with one answer."""

    answer: str
    asked: int = 0

    @property
    def name(self) -> str:
        return self.answer

    def compile(self, _rules: Rules) -> "Says":
        return self

    async def judge(self, _subjects: frozenset[str], _server: str, _method: str, _tool: str) -> Verdict:
        self.asked += 1
        if self.answer == "error":
            raise EngineError("not certain")
        return ANSWERS[self.answer]


def decide(mode: Mode, *answers: str) -> Verdict | str:
    engine = ComposedEngine(f"{mode}:x", mode, [Says(answer) for answer in answers])
    try:
        return asyncio.run(engine.compile(Rules()).judge(frozenset(), "", "", ""))
    except EngineError:
        return "error"


@pytest.mark.parametrize(
    ("mode", "answers", "expected"),
    [
        pytest.param("all", "yes yes", "yes", id="all: everybody allows"),
        pytest.param("all", "yes silence", "silence", id="all: one is silent"),
        pytest.param("all", "silence yes", "silence", id="all: the first is silent"),
        pytest.param("all", "yes no", "no", id="all: one denies"),
        pytest.param("all", "yes both", "both", id="all: one denies what it allows"),
        pytest.param("all", "yes error", "error", id="all: one fails"),
        pytest.param("any", "yes silence", "yes", id="any: one allows"),
        pytest.param("any", "silence yes", "yes", id="any: the last one allows"),
        pytest.param("any", "yes no", "both", id="any: deny wins"),
        pytest.param("any", "silence silence", "silence", id="any: nobody speaks"),
        pytest.param("any", "yes error", "error", id="any: one fails behind a yes"),
        pytest.param("any", "error yes", "error", id="any: one fails before a yes"),
        pytest.param("first", "silence yes no", "yes", id="first: the first one that speaks"),
        pytest.param("first", "no yes", "no", id="first: a deny speaks"),
        pytest.param("first", "yes error", "yes", id="first: those behind are not asked"),
        pytest.param("first", "error yes", "error", id="first: one fails before anybody speaks"),
        pytest.param("first", "silence error yes", "error", id="first: one fails in between"),
        pytest.param("first", "silence silence", "silence", id="first: nobody speaks"),
    ],
)
def test_engines_decide_together(mode: Mode, answers: str, expected: str) -> None:
    assert decide(mode, *answers.split()) == ANSWERS.get(expected, expected)


@pytest.mark.parametrize("mode", ["all", "any"])
def test_everybody_is_asked_whatever_the_others_said(mode: Mode) -> None:
    engines = [Says("no"), Says("yes"), Says("silence")]
    policy = ComposedEngine("x", mode, engines).compile(Rules())
    asyncio.run(policy.judge(frozenset(), "", "", ""))
    assert [engine.asked for engine in engines] == [1, 1, 1]


@pytest.mark.parametrize("name", ["all:index,plain", "any:plain,casbin", "first:plain, index"])
def test_equal_engines_together_keep_the_contract(name: str) -> None:
    check_engine(load(name), policies=20)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("most:index,plain", "engines decide together by `all:`, `any:`, `first:`", id="unknown mode"),
        pytest.param("all:index", "at least two different engines", id="one engine"),
        pytest.param("all:index,index", "at least two different engines", id="one engine twice"),
        pytest.param("all:index,nobody", "0 engines are called `nobody`", id="an engine that is not there"),
        pytest.param("all:index,", "0 engines are called ``", id="an empty name"),
    ],
)
def test_a_composition_that_is_none_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(name)


@dataclass
class Refuses:
    error: Exception
    name: str = "refuses"

    def compile(self, _rules: Rules) -> PlainPolicy:
        raise self.error


def test_what_every_engine_cannot_mean_is_reported() -> None:
    refusing = [Refuses(PolicyProblems([Problem("a", 1, 0, "x", "one")])), Refuses(EngineError("two"))]
    with pytest.raises(PolicyProblems) as caught:
        ComposedEngine("any:x", "any", refusing).compile(Rules())
    assert [str(problem) for problem in caught.value.problems] == ["a:1: one", "policy.csv: engine refuses: two"]


@dataclass
class Reads:
    """Reads files of its own, and keeps what it was given."""

    files: tuple[str, ...] = (".mine",)
    name: str = "reads"
    given: Rules | None = None

    def compile(self, rules: Rules) -> PlainPolicy:
        self.given = rules
        return PlainEngine().compile(rules)


def test_rows_are_given_to_those_who_read_them_and_files_too() -> None:
    mine = Reads()
    engine = ComposedEngine("any:plain,reads", "any", [PlainEngine(), mine])
    assert engine.files == (".mine",)
    policy = replace(rows(("user:ann", "ops", "call", "x", "allow")), sources={"engine.d/a.mine": b""})
    engine.compile(policy)
    assert mine.given is not None
    assert (mine.given.rules, mine.given.sources) == ((), policy.sources)


def test_a_model_that_only_casbin_reads_needs_casbin_for_all_rows() -> None:
    casbin, index = load("casbin"), load("index")
    assert ComposedEngine("x", "any", [casbin, Reads()]).foreign
    assert not ComposedEngine("x", "any", [casbin, index]).foreign
    assert not ComposedEngine("x", "any", [Reads()]).foreign
    rules = Rules(foreign=Foreign(model="", rows=()))
    mine = Reads()
    with pytest.raises(PolicyProblems):
        ComposedEngine("x", "any", [casbin, mine]).compile(rules)
    assert mine.given is not None
    assert mine.given.foreign is None
