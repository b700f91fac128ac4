"""Judging: may this verified caller do this method on this tool, by this policy? Pure; deny wins, silence denies."""

from typing import Final

from authz_sidecar import methods
from authz_sidecar.methods import Kind
from authz_sidecar.model import Decision, Principal, Question, Reason, RuleRef, Server
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Rule, ScopeHierarchy, Verdict

_ANY_VALID_TOKEN: Final = Decision(
    allowed=True,
    reason=Reason.ALLOWED_BY_RULE,
    rules=(RuleRef(source="builtin", line=0, text="needs a valid token and nothing else", allow=True),),
)


async def judge(
    policy: Policy, principal: Principal, server: Server, asked: Question, hierarchy: ScopeHierarchy
) -> Decision:
    """Decide one question about a verified caller.

    The permission is judged first, then the scopes, so nobody learns the scopes of a tool that they may not use.
    Raises `EngineError` when the engine cannot answer.
    """
    if _is_unclear(policy, principal):
        return Decision(allowed=False, reason=Reason.TOKEN_CLAIM_MISSING)
    entry = methods.find(asked.method, server.methods)
    if entry is None:
        return Decision(allowed=False, reason=Reason.METHOD_UNKNOWN)
    if entry.kind is Kind.PASS or (not asked.tool and _asks_for_nothing_yet(asked.method, entry.kind)):
        return _ANY_VALID_TOKEN
    follows = methods.followed(asked.method, entry, asked.tool)
    verdict = await _verdict(policy, principal, server.name, asked.method, asked.tool)
    if follows is not None:
        implied = await _verdict(policy, principal, server.name, *follows)
        if entry.kind is not Kind.LIST:
            verdict = _both(verdict, implied)
        elif not _overrules(verdict, follows[0]):
            verdict = implied
    if not verdict:
        reason = Reason.DENIED_BY_RULE if verdict.denies else Reason.NO_MATCHING_RULE
        return Decision(allowed=False, reason=reason, rules=_refs(verdict.denies))
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
    )


def _is_unclear(policy: Policy, principal: Principal) -> bool:
    """Say whether the policy has no prefixes and a role that is called like this user.

    Its rows could mean either, and the token lacks what would tell: that is a missing claim, and the remedy is another
    `user_claim` or a policy with prefixes.
    """
    return principal.user in policy.rules.namesakes


async def _verdict(policy: Policy, who: Principal, server: str, method: str, tool: str) -> Verdict:
    """Judge the caller, and let the client and the acting agent narrow what the caller may do."""
    verdict = await policy.compiled.judge(who.caller, server, method, tool)
    if who.agent is None and (who.client is None or who.user is None):
        return verdict
    allows, denies = verdict.allows, verdict.denies
    if who.client is not None and who.user is not None:
        # A client never adds rights to a user; its rows can only deny.
        denies += (await policy.compiled.judge(frozenset({who.client}), server, method, tool)).denies
    if who.agent is not None:
        agent = await policy.compiled.judge(frozenset({who.agent}), server, method, tool)
        denies += agent.denies
        # INVARIANT: the actor must be allowed as well as the caller (RFC 8693 section 4.1).
        allows = allows + agent.allows if allows and agent.allows else ()
    return Verdict(allows=tuple(dict.fromkeys(allows)), denies=tuple(dict.fromkeys(denies)))


def _asks_for_nothing_yet(method: str, kind: Kind) -> bool:
    """A list request itself succeeds, perhaps empty; a listener that names nothing hears only that lists changed."""
    return kind is Kind.LIST or method == "subscriptions/listen"


def _both(own: Verdict, implied: Verdict) -> Verdict:
    """Join the rows for a method and for the one that it follows from; a deny of either wins."""
    return Verdict(
        allows=tuple(dict.fromkeys(own.allows + implied.allows)),
        denies=tuple(dict.fromkeys(own.denies + implied.denies)),
    )


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
