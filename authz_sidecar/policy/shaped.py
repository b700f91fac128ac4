"""Turns rows of the shape that a Casbin model describes into checked rows of ours."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy import names
from authz_sidecar.policy.cells import Columns, cell, fits
from authz_sidecar.policy.csvrows import Row
from authz_sidecar.policy.findings import Findings, one_of, quote
from authz_sidecar.policy.memberships import check_memberships
from authz_sidecar.policy.names import Misspelt
from authz_sidecar.policy.shape import Column, How, Part, Shape
from authz_sidecar.rules import ANY, Effect, Foreign, ForeignRule, Membership, Pattern, Rule, Rules

_MEMBERSHIP: Final = ("g", "member", "role", "server")
_GROUP: Final = ("g2", "tool", "group")


def parse_shaped(rows: Iterable[Row], shape: Shape, places: Columns, found: Findings, *, plain: bool) -> Rules:
    """Read `p`, `g` and `g2` rows by the shape; `plain` says that subjects have no prefix.

    A plain name on the right side of a `g` row is a role, any other is a user.
    """
    kept = list(rows)
    places.update({(row.file, row.line): _in_our_order(row, shape) for row in kept})
    roles = frozenset(row.fields[2].text for row in kept if row.fields[0].text == "g" and len(row.fields) > 2)
    reader = _Reader(shape, roles if plain else None, found)
    for row in kept:
        reader.read(row)
    return reader.rules(places)


def _in_our_order(row: Row, shape: Shape) -> tuple[int, ...]:
    """Give the columns as those of a row of our own model, so that whoever reports a problem finds them."""
    columns = row.columns
    if row.fields[0].text != "p":
        return columns
    by_part = {column.part: at for column, at in zip(shape.columns, columns[1:], strict=False)}
    return columns[0], *(by_part.get(part, columns[0]) for part in Part)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A `p` row: its fields as they stand, and as we understand them."""

    values: tuple[str, ...]
    rule: Rule


class _Reader:
    def __init__(self, shape: Shape, roles: frozenset[str] | None, found: Findings) -> None:
        self._shape, self._roles, self._found = shape, roles, found
        self._drawn: list[_Drawn] = []
        self._memberships: list[Membership] = []
        self._groups: list[Membership] = []
        self._kinds = ("p", *(["g"] if shape.roles else []), *(["g2"] if shape.groups else []))

    def read(self, row: Row) -> None:
        kind = row.fields[0].text
        if kind not in self._kinds:
            expected = f"{names.expected(kind, self._kinds)} by this model"
            self._found.error(
                row.file,
                row.line,
                row.fields[0].column,
                "unknown-row-kind",
                f"unknown row kind {quote(kind)}, {expected}",
            )
        elif kind == "p":
            self._rule(row)
        elif kind == "g":
            self._membership(row)
        else:
            self._group(row)

    def rules(self, places: Columns) -> Rules:
        """Give everything, after a look for cycles."""
        by_server: dict[str | None, list[Membership]] = {}
        for row in self._memberships:
            by_server.setdefault(row.server, []).append(row)
        for rows in (*by_server.values(), self._groups):
            check_memberships(rows, places, self._found)
        foreign = None
        if self._shape.foreign:
            rows_ = tuple(ForeignRule(values=drawn.values, rule=drawn.rule) for drawn in self._drawn)
            foreign = Foreign(model=self._shape.foreign, rows=rows_)
        return Rules(
            rules=() if foreign else tuple(drawn.rule for drawn in self._drawn),
            memberships=tuple(self._memberships),
            tool_groups=tuple(self._groups),
            foreign=foreign,
            # In stock Casbin such a user would hold the role: the rows may mean either, so the token is refused.
            namesakes=frozenset(f"user:{role}" for role in self._roles or ()),
        )

    def _rule(self, row: Row) -> None:
        if not fits(row, ("p", *(column.name for column in self._shape.columns)), "this p row", self._found):
            return
        parts: dict[Part, Pattern] = {}
        effect: Effect | None = Effect.ALLOW
        values: list[str] = []
        for index, column in enumerate(self._shape.columns, 1):
            if column.part is Part.EFFECT:
                effect = cell(row, index, _effect, self._found)
                values.append(row.fields[index].text)
                continue
            pattern = cell(row, index, self._spelling(column), self._found)
            if pattern is not None:
                parts[column.part] = pattern
                values.append(pattern.text if column.part is Part.SUBJECT else row.fields[index].text)
        if effect is None or len(values) < len(self._shape.columns):
            return
        # Which methods a foreign row means only Casbin knows; for lists, what may be called then decides.
        method = ANY if self._shape.foreign else parts.get(Part.METHOD, ANY)
        rule = Rule(
            subject=parts[Part.SUBJECT],
            server=parts.get(Part.SERVER, ANY),
            method=method,
            tool=parts.get(Part.TOOL, ANY),
            effect=effect,
            source=row.file,
            line=row.line,
            text=row.text,
            until=row.until,
        )
        self._drawn.append(_Drawn(tuple(values), rule))

    def _spelling(self, column: Column) -> Callable[[str], Pattern]:
        if column.part is Part.SUBJECT:
            return self._subject(column)
        if self._shape.foreign:
            return _anything
        read = _READERS[column.how]
        if column.part is not Part.TOOL:
            return lambda text: read(text, column)
        return lambda text: _checked_uri(read(text, column))

    def _subject(self, column: Column) -> Callable[[str], Pattern]:
        if self._roles is not None:
            return lambda text: self._plain(_READERS[column.how](text, column))
        if column.how in (How.MATCH, How.KEY_MATCH):
            return lambda text: _prefixed(_READERS[column.how](text, column), text)
        return lambda text: Pattern(names.member(text))

    def _plain(self, name: Pattern) -> Pattern:
        if name == ANY:
            return name
        kind = "role" if self._roles and name.text in self._roles and not name.prefix else "user"
        return Pattern(f"{kind}:{name.text}", name.prefix)

    def _membership(self, row: Row) -> None:
        if not fits(row, _MEMBERSHIP[: self._shape.roles + 1], "this g row", self._found):
            return
        plain = self._roles is not None
        member = cell(row, 1, self._plain_name if plain else names.member, self._found)
        role = cell(row, 2, self._plain_name if plain else names.role, self._found)
        server = cell(row, 3, _exact, self._found) if self._shape.roles == 3 else None
        if member is None or role is None or (self._shape.roles == 3 and server is None):
            return
        self._memberships.append(_joined(row, member, role, server))

    def _plain_name(self, text: str) -> str:
        return self._plain(Pattern(_exact(text))).text

    def _group(self, row: Row) -> None:
        if not fits(row, _GROUP, "this g2 row", self._found):
            return
        tool = cell(row, 1, lambda text: _checked_uri(Pattern(_exact(text))), self._found)
        group = cell(row, 2, _exact, self._found)
        if tool is not None and group is not None:
            self._groups.append(_joined(row, tool.text, group, None))


def _joined(row: Row, member: str, role: str, server: str | None) -> Membership:
    return Membership(
        member=member, role=role, source=row.file, line=row.line, text=row.text, server=server, until=row.until
    )


def _exact(text: str) -> str:
    """Read a name that Casbin compares as it stands."""
    if not text:
        raise Misspelt("empty-field", "an empty field")
    if "*" in text:
        message = f"{quote(text)} would only match itself, since this model compares the field exactly"
        raise Misspelt("pattern-not-allowed", message, text.index("*"))
    return text


def _same(text: str, column: Column) -> Pattern:
    try:
        return Pattern(_exact(text))
    except Misspelt as error:
        if error.code == "pattern-not-allowed":
            better = f", for a pattern write `keyMatch(r.{column.name}, p.{column.name})` in the model"
            raise Misspelt(error.code, str(error) + better, error.offset) from None
        raise


def _key_match(text: str, _column: Column) -> Pattern:
    star = text.find("*")
    if not text:
        raise Misspelt("empty-field", "an empty field, write `*` for anything")
    if 0 <= star < len(text) - 1:
        # Casbin ignores everything after the first star, and so grants more than it says.
        message = f"{quote(text)} has a `*` that is not at the end, and Casbin ignores what stands behind it"
        raise Misspelt("star-inside", message, star)
    if "\\" in text:
        message = f"{quote(text)} has a backslash, which escapes nothing in Casbin"
        raise Misspelt("lone-backslash", message, text.index("\\"))
    return Pattern(text.removesuffix("*"), prefix=star >= 0)


def _match(text: str, _column: Column) -> Pattern:
    return names.pattern(text)


_READERS: Final = {How.SAME: _same, How.HOLDS: _same, How.GROUP: _same, How.KEY_MATCH: _key_match, How.MATCH: _match}


def _anything(text: str) -> Pattern:
    if not text:
        raise Misspelt("empty-field", "an empty field")
    return Pattern(text)


def _checked_uri(found: Pattern) -> Pattern:
    if "://" in found.text:
        names.check_uri(found)
    return found


def _prefixed(found: Pattern, text: str) -> Pattern:
    """Check that a subject pattern says what kind of name it means."""
    names.subject(text)
    return found


def _effect(text: str) -> Effect:
    if text not in tuple(Effect):
        message = f"unknown effect {quote(text)}, expected {one_of(Effect)}"
        raise Misspelt("unknown-effect" if text else "empty-field", message)
    return Effect(text)
