"""A linear engine that keeps the promise of the port, and a store that uses it on the shipped policy."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from authz_sidecar.errors import EngineError, PolicyProblems, Problem
from authz_sidecar.model import Server
from authz_sidecar.policy.outcomes import Outcome
from authz_sidecar.policy.store import PolicyStore
from authz_sidecar.rules import Rules, ScopeHierarchy, Verdict
from tests.kernel.house import LinearPolicy

SHIPPED = Path(__file__).parents[2] / "policies"
SERVERS = {"ops-assistant": Server(name="ops-assistant", audience="https://ops.example/mcp")}
MODEL = (SHIPPED / "model.conf").read_bytes()
BROKEN = "p, bob, ops-assistant, tools/call, t, Allow\n"


class LinearEngine:
    name = "linear"

    def compile(self, rules: Rules) -> LinearPolicy:
        return LinearPolicy(rules)


class RefusingEngine:
    """Means something else by every rule, and says so."""

    name = "refusing"

    def compile(self, rules: Rules) -> LinearPolicy:
        raise PolicyProblems([Problem(rule.source, rule.line, 0, "engine", "not for me") for rule in rules.rules])


class BrokenEngine:
    """Fails to compile with the error that it is made with."""

    name = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def compile(self, rules: Rules) -> LinearPolicy:
        raise self.error


class SilentEngine:
    """Compiles anything and answers nothing."""

    name = "silent"

    def compile(self, rules: Rules) -> "SilentEngine":
        return self

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        raise EngineError("two engines disagree")


def write(directory: Path, files: Mapping[str, bytes | str]) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


def shipped() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SHIPPED.iterdir()}


class Told:
    """Keeps the outcomes that a store told, and wakes who waits for one."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._news = asyncio.Event()

    def __call__(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._news.set()

    async def until(self, holds: Callable[[Outcome], bool]) -> Outcome:
        async with asyncio.timeout(10):
            while True:
                for outcome in self.outcomes:
                    if holds(outcome):
                        return outcome
                self._news.clear()
                await self._news.wait()


def make_store(tmp_path: Path, **changes: object) -> PolicyStore:
    settings: dict[str, object] = {
        "directory": tmp_path / "policies",
        "state_dir": tmp_path / "state",
        "engine": LinearEngine(),
        "servers": SERVERS,
        "hierarchy": ScopeHierarchy(),
        "clock": lambda: 1_000.0,
        "tell": Told(),
    }
    return PolicyStore(**(settings | changes))  # type: ignore[arg-type] # named by the tests


def append(directory: Path, text: str, name: str = "policy.csv") -> None:
    with (directory / name).open("a") as file:
        file.write(text)


async def allowed(store: PolicyStore, subject: str, tool: str) -> bool:
    return bool(await store.current.compiled.judge(frozenset({subject}), "ops-assistant", "tools/call", tool))
