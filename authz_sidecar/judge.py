"""Judging: may this verified caller do this method on this tool, by this policy? Pure; deny wins, silence denies."""

from collections.abc import Mapping
from typing import Final

from authz_sidecar import methods
from authz_sidecar.facts import Facts
from authz_sidecar.methods import Kind
from authz_sidecar.model import NOTHING, Decision, Principal, Question, Reason, RuleRef, Server
from authz_sidecar.ports import CompiledPolicy, Policy
from authz_sidecar.rules import Effect, Erred, Rule, ScopeHierarchy, Verdict
from authz_sidecar.weigh import weigh

_ANY_VALID_TOKEN: Final = Decision(
    allowed=True,
    reason=Reason.ALLOWED_BY_RULE,
    rules=(RuleRef(source="builtin", line=0, text="needs a valid token and nothing else", allow=True),),
)


async def judge(
    policy: Policy,
    principal: Principal,
    server: Server,
    asked: Question,
    hierarchy: ScopeHierarchy,
    *,
    context: Mapping[str, str] = NOTHING,
    now: float | None = None,
) -> Decision:
    """Decide one question about a verified caller.

    The permission is judged first, then the scopes, so nobody learns the scopes of a tool that they may not use.
    `context` and `now` are for conditions; one that needs the time errs where `now` is None. Raises `EngineError` when
    the engine cannot answer.
    """
    if _is_unclear(policy, principal):
        return Decision(allowed=False, reason=Reason.TOKEN_CLAIM_MISSING)
    entry = methods.find(asked.method, server.methods)
    if entry is None:
        return Decision(allowed=False, reason=Reason.METHOD_UNKNOWN)
    if entry.kind is Kind.PASS or (not asked.tool and _asks_for_nothing_yet(asked.method, entry.kind)):
        return _ANY_VALID_TOKEN
    follows = methods.followed(asked.method, entry, asked.tool)
    facts = Facts(arguments=asked.arguments, claims=principal.claims, context=context, now=now)
    look = _Look(policy.compiled, server.name, facts, listing=entry.kind is Kind.LIST)
    verdict = await _verdict(look, principal, asked.method, asked.tool)
    if follows is not None:
        implied = await _verdict(look, principal, *follows)
        if entry.kind is not Kind.LIST:
            verdict = _both(verdict, implied)
        elif not _overrules(verdict, follows[0]):
            verdict = implied
    if not verdict:
        return _denied(verdict)
    needed: frozenset[str] = frozenset()
    if entry.kind is not Kind.LIST:  # a list shows what stepping up would open
        needed = policy.rules.required_scopes(server.name, asked.method, asked.tool)
        if follows is not None:
            needed |= policy.rules.required_scopes(server.name, *follows)
    enough = needed <= hierarchy.held(principal.scopes)
    return Decision(
        allowed=enough,
        reason=Reason.ALLOWED_BY_RULE if enough else Reason.INSUFFICIENT_SCOPE,
        rules=_refs(verdict.allows),
        required_scopes=tuple(sorted(needed)),
        detail=_detail(verdict.erred),
    )


def _denied(verdict: Verdict) -> Decision:
    """Say why not: a row that denies, a condition that could not be evaluated, or silence."""
    errors = {erred.rule for erred in verdict.erred}
    if verdict.denies:
        rules = verdict.denies
        reason = Reason.CONDITION_ERROR if errors.issuperset(rules) else Reason.DENIED_BY_RULE
    else:
        rules = tuple(erred.rule for erred in verdict.erred)
        reason = Reason.CONDITION_ERROR if rules else Reason.NO_MATCHING_RULE
    return Decision(allowed=False, reason=reason, rules=_refs(rules), detail=_detail(verdict.erred))


def _detail(erred: tuple[Erred, ...]) -> str:
    return "; ".join(f"{one.rule.source}:{one.rule.line}: {one.why}" for one in erred)


def _is_unclear(policy: Policy, principal: Principal) -> bool:
    """Say whether the policy has no prefixes and a role that is called like this user.

    Its rows could mean either, and the token lacks what would tell: that is a missing claim, and the remedy is another
    `user_claim` or a policy with prefixes.
    """
    return principal.user in policy.rules.namesakes


class _Look:
    """Finds the rows that speak to a call of this server, and asks their conditions."""

    def __init__(self, compiled: CompiledPolicy, server: str, facts: Facts, *, listing: bool) -> None:
        self._compiled, self._server, self._facts, self._listing = compiled, server, facts, listing

    async def up(self, subjects: frozenset[str], method: str, tool: str) -> Verdict:
        found = await self._compiled.judge(subjects, self._server, method, tool)
        return weigh(found, self._facts, listing=self._listing)


async def _verdict(look: _Look, who: Principal, method: str, tool: str) -> Verdict:
    """Judge the caller, and let the client and the acting agent narrow what the caller may do."""
    verdict = await look.up(who.caller, method, tool)
    if who.agent is None and (who.client is None or who.user is None):
        return verdict
    allows, denies, erred = verdict.allows, verdict.denies, verdict.erred
    if who.client is not None and who.user is not None:
        # A client never adds rights to a user; its rows can only deny.
        client = await look.up(frozenset({who.client}), method, tool)
        denies += client.denies
        erred += _denying(client.erred)
    if who.agent is not None:
        agent = await look.up(frozenset({who.agent}), method, tool)
        denies += agent.denies
        # Where one of the two has no row at all, no condition of the other's decided.
        both = _may_allow(verdict) and _may_allow(agent)
        erred = erred + agent.erred if both else _denying(erred + agent.erred)
        # INVARIANT: the actor must be allowed as well as the caller (RFC 8693 section 4.1).
        allows = allows + agent.allows if allows and agent.allows else ()
    return _distinct(allows, denies, erred)


def _may_allow(verdict: Verdict) -> bool:
    return bool(verdict.allows) or len(verdict.erred) > len(_denying(verdict.erred))


def _denying(erred: tuple[Erred, ...]) -> tuple[Erred, ...]:
    return tuple(one for one in erred if one.rule.effect is Effect.DENY)


def _distinct(allows: tuple[Rule, ...], denies: tuple[Rule, ...], erred: tuple[Erred, ...]) -> Verdict:
    return Verdict(
        allows=tuple(dict.fromkeys(allows)),
        denies=tuple(dict.fromkeys(denies)),
        erred=tuple(dict.fromkeys(erred)),
    )


def _asks_for_nothing_yet(method: str, kind: Kind) -> bool:
    """A list request itself succeeds, perhaps empty; a listener that names nothing hears only that lists changed."""
    return kind is Kind.LIST or method == "subscriptions/listen"


def _both(own: Verdict, implied: Verdict) -> Verdict:
    """Join the rows for a method and for the one that it follows from; a deny of either wins."""
    return _distinct(own.allows + implied.allows, own.denies + implied.denies, own.erred + implied.erred)


def _overrules(own: Verdict, method: str) -> bool:
    """Say whether a row names the list itself, and not only what it lists as well.

    A row for `*` or `tools/*` speaks to `tools/list` and to `tools/call`; it is counted with the call, so that a
    list shows what could be called. A row for `tools/list` speaks to the list alone, and is the last word.
    """
    rows: tuple[Rule, ...] = (*own.allows, *own.denies)
    # The server and the tool are those of the list; a row may mean the tool by a group that it is in.
    return any(not row.method.matches(method) for row in rows)


def _refs(rules: tuple[Rule, ...]) -> tuple[RuleRef, ...]:
    return tuple(rule.ref for rule in rules)
