"""Reads `model.conf`, Casbin's description of a model, and accepts the one family that this product means."""

import re
from typing import Final

from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.lines import Line, lines
from authz_sidecar.policy.names import expected

_MATCHER: Final = (
    "g(r.sub, p.sub)",
    "match(r.server, p.server)",
    "match(r.method, p.method)",
    "match(r.tool, p.tool)",
)
# Deny must override: with Casbin's plain `some(where (p.eft == allow))` every deny row would be dead.
_ACCEPTED: Final = {
    "request_definition": ("r", "sub, server, method, tool"),
    "policy_definition": ("p", "sub, server, method, tool, eft"),
    "role_definition": ("g", "_, _"),
    "policy_effect": ("e", "some(where (p.eft == allow)) && !some(where (p.eft == deny))"),
    "matchers": ("m", " && ".join(_MATCHER)),
}
_TOKENS: Final = re.compile(r"[\w.]+|&&|==|\S")

CANONICAL: Final = "\n".join(f"[{name}]\n{key} = {value}\n" for name, (key, value) in _ACCEPTED.items())
"""The model as engines get it: Casbin compares effects by their very spaces, so no other spelling reaches it."""


def read_model(file: str, data: bytes, found: Findings) -> str:
    """Give the model for engines, and report every line that is not of the family; raises nothing.

    Each section has one line: `[request_definition]` `r = sub, server, method, tool`; `[policy_definition]`
    `p = sub, server, method, tool, eft`; `[role_definition]` `g = _, _`; `[policy_effect]` deny overrides;
    `[matchers]` the four terms joined by `&&` in any order. `match` is this product's pattern function.
    """
    section = ""
    seen: set[str] = set()
    before = len(found.problems)
    for line in lines(file, data, found):
        body = line.text.strip(" \t")
        if not body or body.startswith(("#", ";")):
            continue
        if body.startswith("["):
            section = _section(file, line, seen, found)
        elif section:
            _check(file, line, section, seen, found)
        else:
            _report(file, line, "key-outside-section", f"{quote(body)} stands in no known section", found)
    if len(found.problems) == before:
        for name, (key, value) in _ACCEPTED.items():
            if f"{name}.{key}" not in seen:
                found.error(file, 0, 0, "model-incomplete", f"lacks section `[{name}]` with `{key} = {value}`")
    return CANONICAL


def _section(file: str, line: Line, seen: set[str], found: Findings) -> str:
    """Enter a section; an unknown or repeated one is reported, and what is in an unknown one is not looked at."""
    name = line.text.strip(" \t").removeprefix("[").removesuffix("]").strip(" \t")
    if name not in _ACCEPTED or not line.text.rstrip(" \t").endswith("]"):
        wanted = expected(name, _ACCEPTED)
        _report(file, line, "unknown-section", f"unknown section {quote(name)}, {wanted}", found)
        return ""
    if name in seen:
        _report(file, line, "repeated-section", f"section {quote(name)} stands here twice", found)
    seen.add(name)
    return name


def _check(file: str, line: Line, section: str, seen: set[str], found: Findings) -> None:
    wanted_key, wanted = _ACCEPTED[section]
    key, equals, value = line.text.partition("=")
    if not equals or key.strip(" \t") != wanted_key:
        message = f"unknown line {quote(line.text.strip())}, expected `{wanted_key} = {wanted}`"
        _report(file, line, "unknown-key", message, found)
    elif f"{section}.{wanted_key}" in seen:
        _report(file, line, "repeated-key", f"`{wanted_key}` stands here twice", found)
    elif not _same(section, value, wanted):
        column = len(line.text) - len(value.lstrip(" \t")) + 1
        also = ", its terms in any order" if section == "matchers" else ""
        message = f"{quote(value.strip())} is not accepted, expected `{wanted}`{also}"
        found.error(file, line.number, column, f"unsupported-{section.replace('_', '-')}", message)
    seen.add(f"{section}.{wanted_key}")


def _same(section: str, value: str, wanted: str) -> bool:
    if section == "matchers":
        return sorted(map(_tokens, value.split("&&"))) == sorted(map(_tokens, wanted.split("&&")))
    return _tokens(value) == _tokens(wanted)


def _tokens(text: str) -> list[str]:
    return _TOKENS.findall(text)


def _report(file: str, line: Line, code: str, message: str, found: Findings) -> None:
    column = len(line.text) - len(line.text.lstrip(" \t")) + 1
    found.error(file, line.number, column, code, message)
