"""Checks that names carry their issuer's alias when there is more than one issuer."""

from collections.abc import Iterator
from typing import Final

from authz_sidecar.policy.findings import Findings, one_of, quote
from authz_sidecar.policy.names import closest
from authz_sidecar.policy.parse import Parsed
from authz_sidecar.rules import ANY, Pattern

_MADE_BY_POLICY: Final = ("role:", "group:")


def check_names(parsed: Parsed, aliases: frozenset[str], found: Findings) -> None:
    """Report every name that a token can carry and that does not say which issuer's token.

    `user:alice` would be whoever any of the issuers calls alice. Roles that a g row makes (its right side) are the
    policy's own and stay plain: a token's role always has an alias in front.
    """
    made = frozenset(row.role for row in parsed.rules.memberships)
    for source, line, column, name in _names(parsed):
        problem = _problem(name, aliases, made)
        if problem:
            found.error(source, line, column, *problem)


def _names(parsed: Parsed) -> Iterator[tuple[str, int, int, Pattern]]:
    rules, places = parsed.rules, parsed.places
    for rule in rules.rules:
        yield rule.source, rule.line, places[rule.source, rule.line][1], rule.subject
    for row in rules.memberships:
        yield row.source, row.line, places[row.source, row.line][1], Pattern(row.member)
        yield row.source, row.line, places[row.source, row.line][2], Pattern(row.role)
    for test in rules.expectations:
        for subject in test.subjects:
            yield test.source, test.line, places[test.source, test.line][0], Pattern(subject)


def _problem(name: Pattern, aliases: frozenset[str], made: frozenset[str]) -> tuple[str, str] | None:
    if name == ANY:
        return None
    kind, _, rest = name.text.partition(":")
    alias, slash, _ = rest.partition("/")
    if slash and alias in aliases:
        return None
    ours = f"{kind}:" in _MADE_BY_POLICY and any(name.matches(role) for role in made)
    if ours and not (name.prefix and any(f"{kind}:{known}/".startswith(name.text) for known in aliases)):
        return None
    if slash:
        near = closest(alias, aliases)
        hint = f"did you mean {quote(near)}" if near else f"the aliases are {one_of(sorted(aliases))}"
        return "unknown-alias", f"{quote(str(name))} names the unknown issuer {quote(alias)}, {hint}"
    spelled = one_of(f"{kind}:{known}/{str(name).partition(':')[2]}" for known in sorted(aliases))
    return "unqualified-name", f"{quote(str(name))} must say which issuer's it is, write {spelled}"
