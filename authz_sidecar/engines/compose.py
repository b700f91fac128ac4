"""Lets several engines decide together. Whatever the mode, a deny of any that is asked wins, and an error denies."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, get_args

from authz_sidecar.engines.agree import agree
from authz_sidecar.errors import EngineError, PolicyProblems, Problem
from authz_sidecar.ports import CompiledPolicy, PolicyEngine
from authz_sidecar.rules import Rule, Rules, Verdict

Mode = Literal["all", "any", "first"]
MODES: Final[tuple[str, ...]] = get_args(Mode)


class ComposedPolicy:
    """Several policies as one. Each is asked in turn; where one raises `EngineError`, so does this."""

    def __init__(self, mode: Mode, policies: Sequence[CompiledPolicy]) -> None:
        """Take who decides."""
        self._mode, self._policies = mode, tuple(policies)

    def pieces(self) -> Iterator[Iterable[object]]:
        """Give what the policies are made of, as far as they say."""
        for policy in self._policies:
            made = getattr(policy, "pieces", None)
            if made is not None:
                yield from made()

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give the rules of all that were asked.

        `all`: every one must allow. `any`: one that allows is enough, unless another denies. `first`: the first one
        that has something to say decides. Silence is no answer of its own: it denies where nobody else allows.
        """
        verdicts: list[Verdict] = []
        for policy in self._policies:
            # INVARIANT: never cut short by a yes or a no, since a later one may deny, and people want to see all rules.
            verdict = await policy.judge(subjects, server, method, tool)
            if self._mode == "first" and (verdict.allows or verdict.denies):
                return verdict
            verdicts.append(verdict)
        denies = _once(rule for one in verdicts for rule in one.denies)
        if self._mode == "all" and not all(one.allows for one in verdicts):
            return Verdict(denies=denies)
        if self._mode == "all":
            return Verdict(allows=_once(agree([one.allows for one in verdicts])), denies=denies)
        return Verdict(allows=_once(rule for one in verdicts for rule in one.allows), denies=denies)


class ComposedEngine:
    """Compiles the same policy for each engine."""

    def __init__(self, name: str, mode: Mode, engines: Sequence[PolicyEngine]) -> None:
        """Take what the configuration calls it, for example `all:casbin,cedar`, and the engines."""
        self.name: Final = name
        self._mode: Final = mode
        self._engines: Final = tuple(engines)
        self.files: Final = tuple(end for engine in engines for end in _files(engine))
        readers = [engine for engine in engines if not _files(engine)]
        self.foreign: Final = bool(readers) and all(getattr(engine, "foreign", False) for engine in readers)

    def compile(self, rules: Rules) -> ComposedPolicy:
        """Compile for each; raises `PolicyProblems` with what any of them cannot mean."""
        problems: list[Problem] = []
        policies: list[CompiledPolicy] = []
        for engine in self._engines:
            try:
                policies.append(engine.compile(_for(engine, rules)))
            except PolicyProblems as error:
                problems += error.problems
            except EngineError as error:
                problems.append(Problem("policy.csv", 0, 0, "engine", f"engine {engine.name}: {error}"))
        if problems:
            raise PolicyProblems(problems)
        return ComposedPolicy(self._mode, policies)


def _files(engine: PolicyEngine) -> tuple[str, ...]:
    ends: tuple[str, ...] = getattr(engine, "files", ())
    return ends


def _for(engine: PolicyEngine, rules: Rules) -> Rules:
    """Leave the p rows to the engines that read them."""
    return replace(rules, rules=(), foreign=None) if _files(engine) else rules


def _once(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(dict.fromkeys(rules))
