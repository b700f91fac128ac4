"""Reads `model.conf` line by line: which definitions it has, and where."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.lines import Line, lines
from authz_sidecar.policy.names import expected

SECTIONS: Final = {
    "request_definition": ("r",),
    "policy_definition": ("p",),
    "role_definition": ("g", "g2"),
    "policy_effect": ("e",),
    "matchers": ("m",),
}
OWN: Final = {
    "r": "sub, server, method, tool",
    "p": "sub, server, method, tool, eft",
    "g": "_, _",
    "e": "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
    "m": "g(r.sub, p.sub) && match(r.server, p.server) && match(r.method, p.method) && match(r.tool, p.tool)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The right side of a line, and where it begins."""

    key: str
    text: str
    line: int
    column: int


Definitions = Mapping[str, Definition]
"""The lines of a model by their keys: `r`, `p`, `g`, `g2`, `e`, `m`."""


def read_definitions(file: str, data: bytes, found: Findings) -> Definitions | None:
    """Give the lines of the model, or report what is wrong with them and give None; raises nothing.

    Each section stands once, each key in it once. Only `[role_definition]` may be absent.
    """
    section = ""
    problems = Findings()  # of its own, since a list that is full no longer says whether something was added
    sections: set[str] = set()
    definitions: dict[str, Definition] = {}
    for line in lines(file, data, problems):
        body = line.text.strip(" \t")
        if not body or body.startswith(("#", ";")):
            continue
        if body.startswith("["):
            section = _section(file, line, sections, problems)
        elif section:
            _define(file, line, section, definitions, problems)
        else:
            _report(file, line, "key-outside-section", f"{quote(body)} stands in no known section", problems)
    if not problems.problems:
        for name, (key, *_) in SECTIONS.items():
            if key not in definitions and key != "g":
                message = f"lacks section `[{name}]`, for example with `{key} = {OWN[key]}`"
                problems.error(file, 0, 0, "model-incomplete", message)
    found.extend(problems.problems)
    return None if problems.problems else definitions


def _section(file: str, line: Line, seen: set[str], found: Findings) -> str:
    """Enter a section; an unknown or repeated one is reported, and what is in an unknown one is not looked at."""
    name = line.text.strip(" \t").removeprefix("[").removesuffix("]").strip(" \t")
    if name not in SECTIONS or not line.text.rstrip(" \t").endswith("]"):
        wanted = f"expected `[{name}]`" if name in SECTIONS else expected(name, SECTIONS)
        _report(file, line, "unknown-section", f"unknown section {quote(line.text.strip())}, {wanted}", found)
        return ""
    if name in seen:
        _report(file, line, "repeated-section", f"section {quote(name)} stands here twice", found)
    seen.add(name)
    return name


def _define(file: str, line: Line, section: str, definitions: dict[str, Definition], found: Findings) -> None:
    left, equals, value = line.text.partition("=")
    key = left.strip(" \t")
    if not equals or key not in SECTIONS[section]:
        wanted = SECTIONS[section][0]
        message = f"unknown line {quote(line.text.strip())}, expected for example `{wanted} = {OWN[wanted]}`"
        _report(file, line, "unknown-key", message, found)
    elif key in definitions:
        _report(file, line, "repeated-key", f"`{key}` stands here twice", found)
    else:
        column = len(line.text) - len(value.lstrip(" \t")) + 1
        definitions[key] = Definition(key=key, text=value.strip(" \t"), line=line.number, column=column)


def _report(file: str, line: Line, code: str, message: str, found: Findings) -> None:
    column = len(line.text) - len(line.text.lstrip(" \t")) + 1
    found.error(file, line.number, column, code, message)
