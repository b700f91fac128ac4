"""Engines that are wrong in the ways that real ones were."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from authz_sidecar.engines.plain import PlainEngine, PlainPolicy
from authz_sidecar.rules import Effect, Pattern, Rules, Verdict

Judge = Callable[[Rules, PlainPolicy, frozenset[str], str, str, str], Verdict]


@dataclass(frozen=True)
class WrongPolicy:
    rules: Rules
    plain: PlainPolicy
    wrong: Judge

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        return self.wrong(self.rules, self.plain, subjects, server, method, tool)


@dataclass(frozen=True)
class WrongEngine:
    wrong: Judge
    name: str = "wrong"

    def compile(self, rules: Rules) -> WrongPolicy:
        return WrongPolicy(rules, PlainEngine().compile(rules), self.wrong)


def first_match_wins(
    _rules: Rules, plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    verdict = plain.verdict(subjects, server, method, tool)
    rows = sorted(verdict.allows + verdict.denies, key=lambda rule: rule.line)[:1]
    return Verdict(
        allows=tuple(rule for rule in rows if rule.effect is Effect.ALLOW),
        denies=tuple(rule for rule in rows if rule.effect is Effect.DENY),
    )


def asks_for_each_subject(
    _rules: Rules, plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    verdicts = [plain.verdict(frozenset({name}), server, method, tool) for name in sorted(subjects)]
    return next((verdict for verdict in verdicts if verdict), verdicts[0] if verdicts else Verdict())


def forgets_denies_of_far_roles(
    rules: Rules, plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    near = set(subjects)
    for _ in range(10):
        near |= {row.role for row in rules.memberships if row.member in near}
    verdict = plain.verdict(subjects, server, method, tool)
    return replace(verdict, denies=tuple(r for r in verdict.denies if any(map(r.subject.matches, near))))


def stops_at_the_first_deny(
    _rules: Rules, plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    verdict = plain.verdict(subjects, server, method, tool)
    return replace(verdict, denies=verdict.denies[:1])


def reads_a_literal_star_as_anything(
    rules: Rules, _plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    def loose(pattern: Pattern) -> Pattern:
        return Pattern(pattern.text.partition("*")[0], prefix=True) if "*" in pattern.text else pattern

    wide = {replace(rule, tool=loose(rule.tool)): rule for rule in rules.rules}
    verdict = PlainEngine().compile(replace(rules, rules=tuple(wide))).verdict(subjects, server, method, tool)
    return Verdict(
        allows=tuple(wide[rule] for rule in verdict.allows), denies=tuple(wide[rule] for rule in verdict.denies)
    )


def folds_case(
    _rules: Rules, plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    return plain.verdict(subjects, server, method, tool.lower())


def loses_the_order_of_the_file(
    _rules: Rules, plain: PlainPolicy, subjects: frozenset[str], server: str, method: str, tool: str
) -> Verdict:
    verdict = plain.verdict(subjects, server, method, tool)
    return Verdict(allows=verdict.allows[::-1], denies=verdict.denies[::-1])


ALL = (
    first_match_wins,
    asks_for_each_subject,
    forgets_denies_of_far_roles,
    stops_at_the_first_deny,
    reads_a_literal_star_as_anything,
    folds_case,
    loses_the_order_of_the_file,
)


class ForgetfulEngine:
    """Answers by whatever was asked last: a shared field where a local one was meant."""

    name = "forgetful"

    def compile(self, rules: Rules) -> "_Forgetful":
        return _Forgetful(PlainEngine().compile(rules))


class _Forgetful:
    def __init__(self, plain: PlainPolicy) -> None:
        self._plain = plain
        self._last = Verdict()

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        self._last = self._plain.verdict(subjects, server, method, tool)
        await asyncio.sleep(0)
        return self._last
