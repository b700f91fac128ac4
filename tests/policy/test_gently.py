"""A policy is built and let go so that others are served meanwhile, and the interpreter is left as it was."""

import asyncio
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import pytest

from authz_sidecar import breath
from authz_sidecar.breath import breathe, breathing
from authz_sidecar.engines.compose import ComposedPolicy
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.model import Revision
from authz_sidecar.policy import gently as module
from authz_sidecar.policy.ending import EndingPolicy
from authz_sidecar.policy.gently import gently, let_go, pieces, settle
from authz_sidecar.ports import CompiledPolicy, Policy
from authz_sidecar.rules import Rules
from authz_sidecar.testing.cases import rows
from tests.policy.plainly import LinearEngine

READ = rows(("user:ann", "ops", "tools/call", "read", "allow"), ("user:ann", "role:a"))


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    turn, threshold = sys.getswitchinterval(), gc.get_threshold()
    yield
    assert (sys.getswitchinterval(), gc.get_threshold()) == (turn, threshold)
    assert module._builders == 0
    assert breath._breathing == 0


def test_a_builder_takes_short_turns_and_holds_full_collections_back() -> None:
    turn, threshold = sys.getswitchinterval(), gc.get_threshold()
    with gently():
        assert sys.getswitchinterval() < turn
        assert gc.get_threshold()[:2] == threshold[:2]
        assert gc.get_threshold()[2] > 1_000_000


def test_a_builder_in_a_hurry_holds_every_collection_back_and_keeps_its_turns() -> None:
    turn = sys.getswitchinterval()
    with gently(hurry=True):
        assert sys.getswitchinterval() == turn
        assert gc.get_threshold()[0] > 1_000_000


def test_the_last_of_several_builders_puts_the_settings_back() -> None:
    turn = sys.getswitchinterval()
    with gently():
        with gently(hurry=True):
            pass
        assert sys.getswitchinterval() < turn


def test_the_settings_are_put_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="odd"), gently():
        raise ValueError("odd")


@pytest.mark.parametrize("inside", [True, False], ids=["a thread that builds", "any other thread"])
def test_only_a_thread_that_builds_pauses(inside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(breath.time, "sleep", pauses.append)
    monkeypatch.setattr(breath, "_WORK", 0.0)
    with breathing() if inside else nullcontext():
        breathe()
    assert bool(pauses) is inside


def test_another_thread_does_not_pause_while_one_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(breath.time, "sleep", pauses.append)
    monkeypatch.setattr(breath, "_WORK", 0.0)
    with breathing():
        other = threading.Thread(target=breathe)
        other.start()
        other.join(10)
    assert pauses == []


def policy(rules: Rules, engine: IndexEngine | LinearEngine) -> Policy:
    return Policy(revision=Revision("sha256:1"), rules=rules, compiled=engine.compile(rules))


@pytest.mark.parametrize("engine", [IndexEngine(), LinearEngine()], ids=["with pieces", "without"])
def test_letting_a_policy_go_takes_nothing_from_who_still_asks_it(engine: IndexEngine | LinearEngine) -> None:
    old = policy(READ, engine)
    held = pieces(old)
    assert READ.rules[0] in held[0]
    let_go(held)
    assert all(not some for some in held)
    assert asyncio.run(old.compiled.judge(frozenset({"user:ann"}), "ops", "tools/call", "read"))


def test_every_table_of_an_index_is_a_piece() -> None:
    old = policy(READ, IndexEngine())
    asyncio.run(old.compiled.judge(frozenset({"user:ann"}), "ops", "tools/call", "read"))
    held = [piece for some in pieces(old) for piece in some]
    assert ("user:ann", "ops", "tools/call") in held
    assert READ.memberships[0] in held


@pytest.mark.parametrize("wrapped", ["ending", "composed"])
def test_the_pieces_of_a_policy_inside_another_are_found(wrapped: str) -> None:
    compiled: CompiledPolicy = IndexEngine().compile(READ)
    if wrapped == "ending":
        compiled = EndingPolicy(compiled, READ, lambda: 0.0)
    else:
        compiled = ComposedPolicy("any", [compiled, LinearEngine().compile(READ)])
    held = [piece for some in pieces(Policy(revision=Revision("x"), rules=READ, compiled=compiled)) for piece in some]
    assert ("user:ann", "ops", "tools/call") in held


@pytest.mark.parametrize(("size", "frozen"), [(10, False), (5_000, True)], ids=["small", "large"])
def test_a_large_policy_is_left_alone_by_the_collector(size: int, frozen: bool) -> None:
    gc.unfreeze()
    try:
        settle(replace(READ, rules=READ.rules * size))
        assert bool(gc.get_freeze_count()) is frozen
    finally:
        gc.unfreeze()
