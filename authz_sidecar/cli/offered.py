"""Turns what a server offers into rows to choose from, and into `tools.json`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse_policy
from authz_sidecar.rules import Pattern

_KINDS: Final = (
    ("tools", "name", "tools/call", "Tools"),
    ("prompts", "name", "prompts/get", "Prompts"),
    ("resources", "uri", "resources/read", "Resources"),
    ("resourceTemplates", "uriTemplate", "resources/read", "Resource templates: everything that begins so"),
)
_KEPT: Final = ("name", "uri", "uriTemplate", "title", "description", "inputSchema")
_LOGGING: Final = "logging"
_LOGGING_NOTE: Final = (
    "# -- Logging --",
    "# - Some clients, such as the MCP Inspector, set a level first, and give up when they may not.",
)
_ROLE: Final = "role:user"
_LONGEST: Final = 100

Lists = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The text of a policy in which every row is a comment, and what no row can name."""

    text: str
    rows: int
    unnamed: tuple[str, ...]


def choice(server: str, lists: Lists) -> Choice:
    """Write every tool, prompt and resource as a commented row.

    INVARIANT: whatever a server calls its tools, each line is a comment: nothing is granted by asking.
    """
    lines: list[str] = []
    unnamed: list[str] = []
    rows = 0
    for kind, key, method, title in _KINDS:
        entries = list(_named(lists.get(kind, ()), key))
        spelled = [(entry, _row(server, method, name, kind)) for name, entry in entries]
        unnamed += [name for (name, _), (_, row) in zip(entries, spelled, strict=True) if row is None]
        widths = [max(map(len, column)) for column in zip(*(row for _, row in spelled if row), strict=True)]
        if widths:
            lines += ["", f"# -- {title} --"]
        for entry, row in spelled:
            if row is not None:
                rows += 1
                lines += [*_note(entry), "# " + " ".join(map(str.ljust, row, widths)).rstrip()]
    if _LOGGING in lists:
        rows += 1
        lines += ["", *_LOGGING_NOTE, f"# p, {_ROLE}, {server}, {_LOGGING}/setLevel, *, allow"]
    text = "".join(f"{line}\n" for line in lines)
    return Choice(text=text, rows=rows, unnamed=tuple(unnamed))


def tools_json(server: str, lists: Lists) -> str:
    """Record the lists as lint and conditions read them."""
    kept = {
        kind: [{name: entry[name] for name in _KEPT if name in entry} for _, entry in _named(lists[kind], key)]
        for kind, key, _, _ in _KINDS
        if kind in lists
    }
    return json.dumps({server: kept}, indent=2) + "\n"


def _named(entries: Sequence[Mapping[str, Any]], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in entries:
        name = entry.get(key)
        if isinstance(name, str) and name:
            yield name, entry


def _row(server: str, method: str, name: str, kind: str) -> tuple[str, ...] | None:
    """Spell a row that means exactly this, or give None where the policy has no spelling for it."""
    prefix = kind == "resourceTemplates"
    wanted = Pattern(name.partition("{")[0], prefix=True) if prefix else Pattern(name)
    field = str(wanted)
    if field.strip() != field or any(char in field for char in ',"#'):
        field = '"' + field.replace('"', '""') + '"'
    fields = ("p,", f"{_ROLE},", f"{server},", f"{method},", f"{field},", "allow")
    found = Findings()
    rules, _ = parse_policy(f"{' '.join(fields)}\n".encode(errors="replace"), {}, found)
    exact = len(rules) == 1 and rules[0].tool == wanted and not found.problems
    return fields if exact and name.isprintable() else None


def _note(entry: Mapping[str, Any]) -> list[str]:
    """Say what the server says about it, on one line that is surely a note."""
    said = entry.get("description") or entry.get("title")
    if not isinstance(said, str):
        return []
    seen = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    return [f"# - {seen[:_LONGEST]}{'…' if len(seen) > _LONGEST else ''}"] if seen else []
