"""A policy that is tried out: its answers are told where they differ, and it never touches the live one."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from authz_sidecar.audit.digest import Digester
from authz_sidecar.audit.ledger import Ledger
from authz_sidecar.decide import Decider
from authz_sidecar.errors import EngineError, NotReady
from authz_sidecar.events import DecisionEvent
from authz_sidecar.model import Answer, Principal, Query, Question, RawToken, Server
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.shadow import ShadowPolicy
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Verdict
from tests.policy.drawn import HIERARCHY, SERVERS, loaded

LIVE = "p, user:a, desk, tools/call, t, allow\np, user:a, desk, tools/call, u, allow\n"
NEXT = "p, user:a, desk, tools/call, t, allow\np, user:a, desk, tools/call, v, allow\n"


class One:
    """Policies of one snapshot, or of none."""

    def __init__(self, policy: Policy | None) -> None:
        self.policy = policy

    @property
    def current(self) -> Policy:
        if self.policy is None:
            raise NotReady
        return self.policy


class Broken:
    """A compiled policy that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        raise self.error


class Verifier:
    async def verify(self, token: RawToken, server: Server) -> Principal:
        return caller([token.text], ["s1"])


class Lines:
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)

    def close(self) -> None:
        return


class Bench:
    """A decider with a policy beside it."""

    def __init__(self, beside: Policy | None) -> None:
        self.failures: list[Exception] = []
        self.sink = Lines()
        shadow = ShadowPolicy(policies=One(beside), hierarchy=HIERARCHY, failed=self.failures.append)
        ledger = Ledger(sink=self.sink, digest=Digester(b"k" * 32), clock=lambda: 0.0)
        self.decider = Decider(
            policies=One(loaded(LIVE)),
            verifier=Verifier(),
            log=ledger,
            servers=SERVERS,
            new_id=lambda: "id",
            scopes=HIERARCHY,
            shadow=shadow,
        )

    def ask(self, *tools: str) -> Answer:
        questions = tuple(Question(method="tools/call", tool=tool) for tool in tools)
        query = Query(token=RawToken("user:a"), server="desk", questions=questions, batch=len(tools) > 1)
        return asyncio.run(self.decider.decide(query))

    @property
    def event(self) -> DecisionEvent:
        return msgspec.json.decode(self.sink.lines[-1], type=DecisionEvent)


@pytest.mark.parametrize(
    ("tool", "allowed", "would"),
    [
        pytest.param("t", True, None, id="alike"),
        pytest.param("w", False, None, id="alike in no"),
        pytest.param("u", True, "no_matching_rule", id="would be denied"),
        pytest.param("v", False, "allowed_by_rule", id="would be allowed"),
    ],
)
def test_what_differs_is_logged_and_the_live_answer_goes_out(tool: str, allowed: bool, would: str | None) -> None:
    bench = Bench(loaded(NEXT))
    assert bench.ask(tool).decisions[0].allowed is allowed
    shadow = bench.event.shadow
    assert (shadow.reason if shadow else None) == would
    if shadow is not None:
        assert (shadow.allowed, shadow.revision) == (would == "allowed_by_rule", loaded(NEXT).revision)
    assert bench.event.who is not None
    assert bench.event.who.scopes == ("s1",)


def test_of_a_batch_each_gain_and_loss_is_named() -> None:
    bench = Bench(loaded(NEXT))
    answer = bench.ask("t", "u", "v", "w")
    assert [decision.allowed for decision in answer.decisions] == [True, True, False, False]
    shadow = bench.event.shadow
    assert shadow is not None
    assert (shadow.gained, shadow.lost, shadow.reason) == (("tools/call v",), ("tools/call u",), "batch")


def test_another_reason_is_a_difference() -> None:
    bench = Bench(loaded("p, user:a, desk, *, *, deny\n"))
    bench.ask("w")
    assert bench.event.shadow is not None
    assert (bench.event.shadow.allowed, bench.event.shadow.reason) == (False, "denied_by_rule")


@pytest.mark.parametrize("error", [EngineError("two disagree"), RuntimeError("ours"), RecursionError()])
def test_its_failures_are_told_and_touch_nothing(error: Exception) -> None:
    bench = Bench(replace(loaded(NEXT), compiled=Broken(error)))
    assert bench.ask("u")
    assert bench.event.shadow is None
    assert bench.failures == [error]


def test_before_it_is_loaded_nothing_differs() -> None:
    bench = Bench(None)
    assert bench.ask("u")
    assert (bench.event.shadow, bench.failures) == (None, [])
