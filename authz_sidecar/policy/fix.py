"""Mends what can have one meaning only: spellings in another case, and rows that say what another row says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy import tables
from authz_sidecar.policy.csvrows import Row, read
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.parse import POLICY, SCOPES, parse_policy
from authz_sidecar.rules import PREFIXES, Effect, Membership, Rule

_KINDS: Final = ("p", "g")
_EFFECT: Final = 5


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """One thing that was mended, for people."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Spell it as compilers do."""
        return f"{self.file}:{self.line}: {self.what}"


def fix(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], tuple[Fix, ...]]:
    """Give the files that change, mended, and what was done. No answer of the policy changes by it.

    Mended are row kinds, effects and subject prefixes in another case; removed are rows that say the same as an
    earlier one, and allow rows for a name that has the very same right by a role that it holds.
    """
    done: list[Fix] = []
    changed: dict[str, bytes] = {}
    if POLICY in files:
        changed[POLICY] = _dropped(POLICY, _respelled(files[POLICY], done), done)
    if SCOPES in files:
        changed[SCOPES] = _dropped(SCOPES, files[SCOPES], done)
    return {name: data for name, data in changed.items() if data != files[name]}, tuple(sorted(done))


def _respelled(data: bytes, done: list[Fix]) -> bytes:
    lines = data.split(b"\n")
    for row in read(POLICY, data, Findings()):
        for index, right in _respellings(row):
            field = row.fields[index]
            text = lines[row.line - 1].decode()
            start = field.column - 1
            if text[start : start + len(right)].lower() == right:
                lines[row.line - 1] = (text[:start] + right + text[start + len(right) :]).encode()
                done.append(Fix(POLICY, row.line, f"{quote(field.text)} is spelled {quote(right)}"))
    return b"\n".join(lines)


def _respellings(row: Row) -> Iterator[tuple[int, str]]:
    kind = row.fields[0].text.lower()
    if kind not in _KINDS:
        return
    if row.fields[0].text != kind and not row.fields[0].quoted:
        yield 0, kind
    for index, field in enumerate(row.fields[1:], start=1):
        if field.quoted:
            continue
        if index == 1 or kind == "g":
            near = next((prefix for prefix in PREFIXES if field.text.lower().startswith(prefix)), "")
            if near and not field.text.startswith(near):
                yield index, near
        effects = tuple(effect.value for effect in Effect)
        if kind == "p" and index == _EFFECT and field.text.lower() in effects and field.text not in effects:
            yield index, field.text.lower()


def _dropped(file: str, data: bytes, done: list[Fix]) -> bytes:
    found = Findings()
    if file == POLICY:
        rules, memberships = parse_policy(data, {}, found)
        drop = {**_repeated(rules), **_repeated(memberships), **_inherited(rules, memberships)}
    else:
        drop = _repeated(tables.parse_scopes(file, data, {}, found))
    if found.problems or not drop:
        return data  # what cannot be read may be what a row repeats
    lines = data.split(b"\n")
    for line, why in drop.items():
        done.append(Fix(file, line, f"removed {quote(' '.join(lines[line - 1].decode().split()))}: {why}"))
    return b"\n".join(text for number, text in enumerate(lines, start=1) if number not in drop)


def _repeated(rows: tuple[object, ...]) -> dict[int, str]:
    first: dict[object, int] = {}
    found: dict[int, str] = {}
    for row in rows:
        line = int(getattr(row, "line"))  # noqa: B009 - rows of three kinds, each with its line
        earlier = first.setdefault(_said(row), line)
        if earlier != line:
            found[line] = f"line {earlier} says the same"
    return found


def _said(row: object) -> object:
    match row:
        case Rule():
            return "p", row.subject, row.server, row.method, row.tool, row.effect, row.until
        case Membership():
            return "g", row.member, row.role, row.server, row.until
        case _:
            fields = ("server", "method", "tool", "scopes")
            return "scope", *(getattr(row, name) for name in fields)


def _inherited(rules: tuple[Rule, ...], memberships: tuple[Membership, ...]) -> dict[int, str]:
    # Allow rows alone: a deny row that goes would open, should the membership ever go as well.
    holding = Holding(row for row in memberships if row.server is None and row.until is None)
    allows = [rule for rule in rules if rule.effect is Effect.ALLOW and not rule.subject.prefix]
    by_call: dict[object, dict[str, Rule]] = {}
    for rule in allows:
        by_call.setdefault((rule.server, rule.method, rule.tool, rule.until), {})[rule.subject.text] = rule
    found: dict[int, str] = {}
    for rule in allows:
        same = by_call[rule.server, rule.method, rule.tool, rule.until]
        held = (holding.held(rule.subject.text) & same.keys()) - {rule.subject.text}
        if held:
            role = min(held)
            found[rule.line] = f"{quote(role)} gives it already (line {same[role].line})"
    return found
