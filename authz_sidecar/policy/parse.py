"""Turns the bytes of policy files into checked rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain
from typing import Final

from authz_sidecar.breath import breathe
from authz_sidecar.policy import names, tables
from authz_sidecar.policy.cells import Columns, Places, cell, fits, where
from authz_sidecar.policy.covering import same
from authz_sidecar.policy.csvrows import Row, each, each_or
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.grid import MATRIX, parse_matrix
from authz_sidecar.policy.memberships import check_memberships
from authz_sidecar.policy.model import CANONICAL, read_model
from authz_sidecar.policy.plainrows import LazyColumns, plain_rules
from authz_sidecar.policy.shape import OWN, Shape
from authz_sidecar.policy.shaped import parse_shaped
from authz_sidecar.policy.stored import ROWS, read_stored
from authz_sidecar.policy.tools import TOOLS, Tools, parse_tools
from authz_sidecar.policy.whens import NONE, Conditions, Whens
from authz_sidecar.rules import Effect, Membership, Rule, Rules

POLICY: Final = "policy.csv"
SCOPES: Final = "scopes.csv"
EXPECTATIONS: Final = "expectations.csv"
MODEL: Final = "model.conf"
FOLDER: Final = "policy.d/"
"""Further files like `policy.csv` stand here, in the order of their names."""

ENGINE_FOLDER: Final = "engine.d/"
"""Files in an engine's own language stand here; only the engine reads them."""

_RULE: Final = ("p", "subject", "server", "method", "tool", "effect")
_CONDITIONAL: Final = (*_RULE, "when")
_MEMBERSHIP: Final = ("g", "member", "role")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The rows that are sound, and where their fields stand."""

    rules: Rules
    places: Places
    tools: Tools = field(default_factory=Tools)
    """What the servers offer, as recorded in `tools.json`."""
    shape: Shape = OWN


def parse(
    files: Mapping[str, bytes],
    found: Findings,
    *,
    plain: bool = False,
    conditions: Conditions = NONE,
    lints: int | None = None,
) -> Parsed:
    """Read all files of a policy and report every problem in them; never raises, whatever the bytes.

    `plain` says that the subjects of `policy.csv` have no prefix, as in Casbin's examples. With more than `lints` rules
    nobody looks for rows that say the same.
    """
    tools = parse_tools(TOOLS, files[TOOLS], found) if TOOLS in files else Tools()
    whens = Whens(conditions, tools, found)
    places = LazyColumns(files)
    named = (POLICY, *sorted(name for name in files if name.startswith(FOLDER)))
    sources = {name: data for name, data in files.items() if name.startswith(ENGINE_FOLDER)}
    shape = OWN if sources and MODEL not in files else read_model(MODEL, files.get(MODEL, b""), found)
    stored = read_stored(files[ROWS], found) if ROWS in files else []
    if shape is not None and (plain or not shape.own):
        odd = chain.from_iterable(each(name, files.get(name, b""), found, ends=True) for name in named)
        said = parse_shaped(chain(odd, stored), shape, places, found, plain=plain)
        if lints is None or said.size <= lints:
            _warn_duplicates(said.rules, places, found)
    else:
        usual = chain.from_iterable(
            each_or(plain_rules(name), name, files.get(name, b""), found, ends=True) for name in named
        )
        rules, memberships = parse_rows(chain(usual, stored), places, found, whens, lints)
        said = Rules(rules=rules, memberships=memberships)
    scopes = tables.parse_scopes(SCOPES, files[SCOPES], places, found) if SCOPES in files else ()
    tests = tables.parse_expectations(EXPECTATIONS, files[EXPECTATIONS], places, found) if EXPECTATIONS in files else ()
    if MATRIX in files:
        tests += parse_matrix(MATRIX, files[MATRIX], places, found)
    return Parsed(
        rules=replace(said, scopes=scopes, expectations=tests, model=CANONICAL, sources=sources),
        places=places,
        tools=tools,
        shape=shape or OWN,
    )


def parse_policy(
    data: bytes, places: Columns, found: Findings, file: str = POLICY
) -> tuple[tuple[Rule, ...], tuple[Membership, ...]]:
    """Read the `p` and `g` rows of one file."""
    return parse_rows(each(file, data, found, ends=True), places, found)


def parse_rows(
    rows: Iterable[Row | list[Rule]],
    places: Columns,
    found: Findings,
    whens: Whens | None = None,
    lints: int | None = None,
) -> tuple[tuple[Rule, ...], tuple[Membership, ...]]:
    """Turn rows of one or more files, of which some are rules already, many at once, into rules and memberships."""
    rules: list[Rule] = []
    memberships: list[Membership] = []
    whens = whens or Whens(NONE, Tools(), found)
    for row in rows:
        if isinstance(row, list):  # as most are
            rules += row
            continue
        places[row.file, row.line] = row.columns
        match row.fields[0].text:
            case "p":
                rules += _rule(row, found, whens)
            case "g":
                memberships += _membership(row, found)
            case kind:
                message = f"unknown row kind {quote(kind)}, {names.expected(kind, ('p', 'g'))}"
                found.error(row.file, row.line, row.fields[0].column, "unknown-row-kind", message)
    if lints is None or len(rules) <= lints:
        _warn_duplicates(rules, places, found)
    check_memberships(memberships, places, found)
    return tuple(rules), tuple(memberships)


def _rule(row: Row, found: Findings, whens: Whens) -> list[Rule]:
    conditional = len(row.fields) > len(_RULE) and bool(row.fields[len(_RULE)].text)
    if not fits(row, _CONDITIONAL if conditional else _RULE, "this p row", found):
        return []
    subject = cell(row, 1, names.subject, found)
    server = cell(row, 2, names.pattern, found)
    method = cell(row, 3, names.pattern, found)
    tool = cell(row, 4, partial(tables.tool, method=row.fields[3].text), found)
    effect = cell(row, 5, _effect, found)
    if subject is None or server is None or method is None or tool is None or effect is None:
        return []
    when = whens.read(row, len(_RULE), server, method, tool) if conditional else None
    if conditional and when is None:
        return []
    return [
        Rule(
            subject=subject,
            server=server,
            method=method,
            tool=tool,
            effect=effect,
            source=row.file,
            line=row.line,
            text=row.text,
            until=row.until,
            when=when,
        )
    ]


@lru_cache
def _effect(text: str) -> Effect:
    try:
        return Effect(text)
    except ValueError:
        if not text:
            raise names.Misspelt("empty-field", "an empty effect, expected `allow` or `deny`") from None
        message = f"unknown effect {quote(text)}, {names.expected(text, tuple(Effect))}"
        raise names.Misspelt("unknown-effect", message) from None


def _membership(row: Row, found: Findings) -> list[Membership]:
    if not fits(row, _MEMBERSHIP, "this g row", found):
        return []
    member = cell(row, 1, names.member, found)
    role = cell(row, 2, names.role, found)
    if member is None or role is None:
        return []
    return [Membership(member=member, role=role, source=row.file, line=row.line, text=row.text, until=row.until)]


def _warn_duplicates(rules: Sequence[Rule], places: Places, found: Findings) -> None:
    """Report each row that says what one above it says."""
    firsts: dict[object, Rule] = {}
    alike: dict[object, Rule] = {}  # of rows with the same texts, each that says something else
    for rule in rules:
        breathe()
        who, server, method, tool = rule.subject, rule.server, rule.method, rule.tool
        texts = who.text, server.text, method.text, tool.text  # quicker to hash than patterns
        first = firsts.setdefault(texts, rule)
        if first is rule:
            continue
        if not same(first, rule):
            key = (texts, who.prefix, server.prefix, method.prefix, tool.prefix, rule.effect, rule.until, rule.when)
            first = alike.setdefault(key, rule)
        if first is not rule:
            column = places[rule.source, rule.line][0]
            message = f"says the same as {where(first, rule.source)}"
            found.warn(rule.source, rule.line, column, "duplicate-row", message)
    for some in (firsts, alike):  # let go at once, a hundred thousand keys would hold up everybody
        while some:
            some.popitem()
            breathe()
