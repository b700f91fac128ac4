"""Says what the Casbin model of a policy means, or that only Casbin can say it.

The family that is understood exactly: one request, one kind of rule, deny overrides, and a matcher that joins by `&&`
one comparison for each field, `g`, `g2`, `==`, `match` or `keyMatch`. Those are ACL, RBAC, RBAC with domains and with
resource roles of Casbin's manual, each with or without deny.
"""

import re
from typing import Final

from authz_sidecar.policy.definitions import OWN, SECTIONS, Definitions, read_definitions
from authz_sidecar.policy.findings import Findings, one_of, quote
from authz_sidecar.policy.foreign import unreadable
from authz_sidecar.policy.shape import PARTS, Column, How, Part, Shape

CANONICAL: Final = "\n".join(f"[{section}]\n{keys[0]} = {OWN[keys[0]]}\n" for section, keys in SECTIONS.items())
"""The model as engines get it: whatever the author's model calls and compares, the checked rows mean this."""

_TOKENS: Final = re.compile(r"[\w.]+|&&|==|\S")
_ANY_ALLOWS: Final = "some(where (p.eft == allow))"
_DENY_OVERRIDES: Final = _TOKENS.findall(OWN["e"])
_ALLOW_OVERRIDES: Final = _TOKENS.findall(_ANY_ALLOWS)
_ROLES: Final = {"_,_": 2, "_,_,_": 3}
_CALL: Final = re.compile(r"(g2?|match|keyMatch)\s*\(\s*r\.(\w+)\s*,\s*p\.(\w+)\s*(?:,\s*r\.(\w+)\s*)?\)")
_EQUALITY: Final = re.compile(r"([rp])\.(\w+)\s*==\s*([rp])\.(\w+)")


def read_model(file: str, data: bytes, found: Findings) -> Shape | None:
    """Say how the rows are to be read, or report what is not understood and give None; raises nothing."""
    problems = Findings()
    definitions = read_definitions(file, data, problems)
    shape = None if definitions is None else _Reader(file, definitions, problems).shape()
    found.extend(problems.problems)
    for warning in problems.warnings:
        found.warn(warning.file, warning.line, warning.column, warning.code, warning.message)
    return None if problems.problems else shape


class _Reader:
    def __init__(self, file: str, definitions: Definitions, found: Findings) -> None:
        self._file, self._definitions, self._found = file, definitions, found

    def shape(self) -> Shape:
        """Understand all lines, so that every problem is reported."""
        asked = self._fields("r")
        ruled = self._fields("p")
        if not self._found.problems:
            self._check_fields(asked, ruled)
        roles = self._roles("g")
        groups = self._roles("g2") if "g2" in self._definitions else 0
        if groups == 3:
            self._refuse("g2", "groups of tools have no server, expected `_, _`")
        if groups and "g" not in self._definitions:
            self._refuse("g2", "Casbin overlooks `g2` where there is no `g`")
        self._check_effect(ruled)
        if self._found.problems:
            return Shape(columns=())
        return self._matcher(ruled, roles, groups=bool(groups))

    def _fields(self, key: str) -> tuple[str, ...]:
        fields = tuple(word.strip() for word in self._definitions[key].text.split(","))
        for name in fields:
            if name not in PARTS or (key == "r" and name == "eft"):
                words = one_of(word for word in PARTS if key == "p" or word != "eft")
                self._refuse(key, f"unknown field {quote(name)}, expected {words}")
        parts = [PARTS.get(name) for name in fields]
        if len(set(parts)) < len(parts):
            self._refuse(key, f"{quote(self._definitions[key].text)} names one thing twice")
        return fields

    def _check_fields(self, asked: tuple[str, ...], ruled: tuple[str, ...]) -> None:
        if "sub" not in asked:
            self._refuse("r", "there is no `sub`, so everybody would be meant")
        if set(asked) != set(ruled) - {"eft"}:
            self._refuse("p", f"expected the fields of the request, `{', '.join(asked)}`, and perhaps `eft`")

    def _roles(self, key: str) -> int:
        if key not in self._definitions:
            return 0
        text = "".join(self._definitions[key].text.split())
        if text not in _ROLES:
            self._refuse(key, f"{quote(self._definitions[key].text)} is not accepted, expected `_, _` or `_, _, _`")
        return _ROLES.get(text, 0)

    def _check_effect(self, ruled: tuple[str, ...]) -> None:
        tokens = _TOKENS.findall(self._definitions["e"].text)
        if tokens == _DENY_OVERRIDES or (tokens == _ALLOW_OVERRIDES and "eft" not in ruled):
            return
        # With Casbin's plain `some(where (p.eft == allow))` every deny row would be dead.
        dead = ", or every deny row would be dead" if tokens == _ALLOW_OVERRIDES else ""
        self._refuse("e", f"{quote(self._definitions['e'].text)} is not accepted, expected `{OWN['e']}`{dead}")

    def _matcher(self, ruled: tuple[str, ...], roles: int, *, groups: bool) -> Shape:
        hows = self._terms(roles, groups=groups)
        names = [name for name in ruled if name != "eft"]
        if hows is not None and sorted(hows) == sorted(names):
            used = hows.values()
            if (How.HOLDS in used) == bool(roles) and (How.GROUP in used) == groups:
                hows["eft"] = How.EFFECT
                columns = tuple(Column(name=name, part=PARTS[name], how=hows[name]) for name in ruled)
                return Shape(columns=columns, roles=roles, groups=groups)
            self._refuse("m", "roles are defined and not asked for, or asked for and not defined")
            return Shape(columns=())
        return self._foreign(names, ruled, roles, groups=groups)

    def _terms(self, roles: int, *, groups: bool) -> dict[str, How] | None:
        """Give how each field is compared, or None when the matcher is not of the family."""
        hows: dict[str, How] = {}
        for term in self._definitions["m"].text.split("&&"):
            compared = _compared(term.strip(), roles, groups=groups)
            if compared is None or compared[0] in hows:
                return None
            hows[compared[0]] = compared[1]
        return hows

    def _foreign(self, names: list[str], ruled: tuple[str, ...], roles: int, *, groups: bool) -> Shape:
        matcher = self._definitions["m"]
        why = unreadable(matcher.text, names, roles=roles, groups=groups)
        if why:
            self._refuse("m", f"{why}; this product's own is `{OWN['m']}`")
            return Shape(columns=())
        message = (
            "only Casbin can say what this matcher means, so it is asked every question: about 10 µs a row, 10 ms for "
            "1,000 rows, while nobody else is served; join one `g`, `==` or `keyMatch` for each field by `&&` to "
            "compile it instead"
        )
        self._found.warn(self._file, matcher.line, matcher.column, "model-not-compiled", message)
        columns = tuple(
            Column(name=name, part=PARTS[name], how=How.EFFECT if name == "eft" else How.SAME) for name in ruled
        )
        text = "\n".join(_section(key, self._definitions) for key in ("r", "p", "g", "e", "m"))
        return Shape(columns=columns, roles=roles, groups=groups, foreign=text)

    def _refuse(self, key: str, message: str) -> None:
        where = self._definitions[key]
        section = next(name for name, keys in SECTIONS.items() if key in keys)
        self._found.error(self._file, where.line, where.column, f"unsupported-{section.replace('_', '-')}", message)


def _compared(term: str, roles: int, *, groups: bool) -> tuple[str, How] | None:
    """Give the field that the term compares and how, or None when the term is not of the family."""
    equality = _EQUALITY.fullmatch(term)
    if equality is not None:
        left, name, right, other = equality.groups()
        return (name, How.SAME) if left != right and name == other else None
    call = _CALL.fullmatch(term)
    if call is None or call[2] != call[3]:
        return None
    how, part = How(call[1]), PARTS.get(call[2])
    if how is How.HOLDS:
        by_server = PARTS.get(call[4] or "") is Part.SERVER
        return (call[2], how) if part is Part.SUBJECT and roles == (3 if by_server else 2) else None
    if call[4] or (how is How.GROUP and not (part is Part.TOOL and groups)):
        return None
    return call[2], how


def _section(key: str, definitions: Definitions) -> str:
    name = next(section for section, keys in SECTIONS.items() if key in keys)
    keys = [one for one in SECTIONS[name] if one in definitions]
    return "\n".join([f"[{name}]", *(f"{one} = {_spaced(definitions[one].text)}" for one in keys), ""]) if keys else ""


def _spaced(text: str) -> str:
    """Put blanks where Casbin needs them: it knows effects by their blanks, and glues `and` to the names beside it."""
    for effect, tokens in ((OWN["e"], _DENY_OVERRIDES), (_ANY_ALLOWS, _ALLOW_OVERRIDES)):
        if _TOKENS.findall(text) == tokens:
            return effect
    return re.sub(r"\s*(&&|\|\|)\s*", r" \1 ", text)
