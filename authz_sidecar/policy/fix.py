"""Mends what can have one meaning only: spellings in another case, and rows that say what another row says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy import tables
from authz_sidecar.policy.csvrows import Row, read
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.model import read_model
from authz_sidecar.policy.parse import FOLDER, MODEL, POLICY, SCOPES, parse_policy
from authz_sidecar.policy.shape import OWN
from authz_sidecar.rules import PREFIXES, Effect, Membership, Rule, ScopeRow

_KINDS: Final = ("p", "g")
_EFFECT: Final = 5

_Place = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """One thing that was mended, for people."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Spell it as compilers do."""
        return f"{self.file}:{self.line}: {self.what}"


def fix(files: Mapping[str, bytes], *, prefixed: bool = True) -> tuple[dict[str, bytes], tuple[Fix, ...]]:
    """Give the files that change, mended, and what was done. No answer of the policy changes by it.

    Mended are row kinds, effects and subject prefixes in another case; removed are rows that say the same as an
    earlier one, and allow rows for a name that has the very same right by a role that it holds; rows that end stay.
    `prefixed` says whether subjects begin with `user:` and the like. By another model than our own nothing is mended.
    """
    done: list[Fix] = []
    if not mendable(files):
        return {}, ()  # what a field means there, and whether a role only ever adds, another model says
    fixed = {
        name: _respelled(name, data, done, prefixed=prefixed) if is_policy(name) else data
        for name, data in files.items()
    }
    drop = _superfluous(fixed)
    for name in {file for file, _ in drop}:
        fixed[name] = _dropped(name, fixed[name], drop, done)
    return {name: data for name, data in fixed.items() if data != files[name]}, tuple(sorted(done))


def mendable(files: Mapping[str, bytes]) -> bool:
    """Say whether the rows are of our own model."""
    shape = read_model(MODEL, files[MODEL], Findings()) if MODEL in files else OWN
    return shape is not None and shape.own


def is_policy(name: str) -> bool:
    """Say whether p and g rows stand in the file of this name."""
    return name == POLICY or name.startswith(FOLDER)


def _respelled(file: str, data: bytes, done: list[Fix], *, prefixed: bool) -> bytes:
    lines = data.split(b"\n")
    for row in read(file, data, Findings()):
        for index, right in _respellings(row, prefixed=prefixed):
            field = row.fields[index]
            text = lines[row.line - 1].decode()
            start = field.column - 1
            if text[start : start + len(right)].lower() == right:
                lines[row.line - 1] = (text[:start] + right + text[start + len(right) :]).encode()
                done.append(Fix(file, row.line, f"{quote(field.text)} is spelled {quote(right)}"))
    return b"\n".join(lines)


def _respellings(row: Row, *, prefixed: bool) -> Iterator[tuple[int, str]]:
    kind = row.fields[0].text.lower()
    if kind not in _KINDS:
        return
    if row.fields[0].text != kind and not row.fields[0].quoted:
        yield 0, kind
    for index, field in enumerate(row.fields[1:], start=1):
        if field.quoted:
            continue
        if prefixed and (index == 1 or kind == "g"):
            near = next((prefix for prefix in PREFIXES if field.text.lower().startswith(prefix)), "")
            if near and not field.text.startswith(near):
                yield index, near
        effects = tuple(effect.value for effect in Effect)
        if kind == "p" and index == _EFFECT and field.text.lower() in effects and field.text not in effects:
            yield index, field.text.lower()


def _superfluous(files: Mapping[str, bytes]) -> dict[_Place, str]:
    """Give the rows that can go, each with why."""
    found = Findings()
    rules: list[Rule] = []
    memberships: list[Membership] = []
    for name in sorted(filter(is_policy, files), key=lambda name: (name != POLICY, name)):
        some_rules, some_memberships = parse_policy(files[name], {}, found, name)
        rules += some_rules
        memberships += some_memberships
    scopes = tables.parse_scopes(SCOPES, files[SCOPES], {}, found) if SCOPES in files else ()
    if found.problems:
        return {}  # what cannot be read may be what a row repeats
    return {**_repeated(rules), **_repeated(memberships), **_repeated(scopes), **_inherited(rules, memberships)}


def _dropped(file: str, data: bytes, drop: Mapping[_Place, str], done: list[Fix]) -> bytes:
    left: list[bytes] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        why = drop.get((file, number))
        if why is None:
            left.append(line)
        else:
            done.append(Fix(file, number, f"removed {quote(' '.join(line.decode().split()))}: {why}"))
    return b"\n".join(left)


def _repeated(rows: Sequence[Rule] | Sequence[Membership] | Sequence[ScopeRow]) -> dict[_Place, str]:
    first: dict[object, _Place] = {}
    found: dict[_Place, str] = {}
    for row in rows:
        place = (row.source, row.line)
        earlier = first.setdefault(_said(row), place)
        # The line above a row that ends says when; it must not fall to the next row.
        if earlier != place and (isinstance(row, ScopeRow) or row.until is None):
            found[place] = f"{earlier[0]}:{earlier[1]} says the same"
    return found


def _said(row: Rule | Membership | ScopeRow) -> object:
    match row:
        case Rule():
            return row.subject, row.server, row.method, row.tool, row.effect, row.until, row.when
        case Membership():
            return row.member, row.role, row.server, row.until
        case ScopeRow():
            return row.server, row.method, row.tool, frozenset(row.scopes)


def _inherited(rules: Sequence[Rule], memberships: Sequence[Membership]) -> dict[_Place, str]:
    # Allow rows alone: a deny row that goes would open, should the membership ever go as well.
    holding = Holding(row for row in memberships if row.server is None and row.until is None)
    allows = [rule for rule in rules if rule.effect is Effect.ALLOW and not rule.subject.prefix]
    by_call: dict[object, dict[str, Rule]] = {}
    for rule in allows:
        by_call.setdefault(_call(rule), {})[rule.subject.text] = rule
    found: dict[_Place, str] = {}
    for rule in allows:
        same = by_call[_call(rule)]
        held = (holding.held(rule.subject.text) & same.keys()) - {rule.subject.text}
        if held and rule.until is None:
            role = min(held)
            found[rule.source, rule.line] = f"{quote(role)} gives it already ({same[role].source}:{same[role].line})"
    return found


def _call(rule: Rule) -> object:
    return rule.server, rule.method, rule.tool, rule.until, rule.when
