"""Reads `tools.json`, the optional list of what each server offers, recorded from its own list results."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from authz_sidecar.policy.findings import Findings, one_of, quote
from authz_sidecar.strictjson import StrictJsonError, loads

TOOLS: Final = "tools.json"

# Where the result of each list stands in MCP, what names an entry there, and the method that acts on it.
_KINDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "tools": ("name", "tools/call"),
        "prompts": ("name", "prompts/get"),
        "resources": ("uri", "resources/read"),
        "resourceTemplates": ("uriTemplate", "resources/read"),
    }
)
_EXPRESSION: Final = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one server offers to one method; `templates` are the fixed beginnings of resource templates."""

    names: frozenset[str] = frozenset()
    templates: frozenset[str] = frozenset()

    def knows(self, name: str) -> bool:
        """Say whether the server offers this name, itself or by a template."""
        return name in self.names or any(name.startswith(beginning) for beginning in self.templates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The recorded lists: by server and method, and the input schema of each tool that has one."""

    offers: Mapping[tuple[str, str], Offer] = field(default_factory=lambda: MappingProxyType({}))
    schemas: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=lambda: MappingProxyType({}))
    """By server and tool."""

    def offer(self, server: str, method: str) -> Offer | None:
        """Give what was recorded, or None when nobody recorded this list."""
        return self.offers.get((server, method))


def parse_tools(file: str, data: bytes, found: Findings) -> Tools:
    """Read `{"server": {"tools": [{"name": …}], "prompts": […], …}}` and report what it cannot mean; never raises."""
    try:
        value = loads(data)
    except StrictJsonError as error:
        found.error(file, 0, 0, "bad-tools", f"is not JSON that everybody reads alike: it {error}")
        return Tools()
    if not isinstance(value, dict):
        found.error(file, 0, 0, "bad-tools", 'expected an object by server: `{"my-server": {"tools": […]}}`')
        return Tools()
    offers: dict[tuple[str, str], Offer] = {}
    schemas: dict[tuple[str, str], Mapping[str, object]] = {}
    for server, lists in value.items():
        for kind, entries in _lists(file, server, lists, found):
            key, method = _KINDS[kind]
            named = tuple(_named(file, f"{server}.{kind}", entries, key, found))
            offers[server, method] = _joined(offers.get((server, method), Offer()), kind, [name for name, _ in named])
            if kind == "tools":
                schemas.update({(server, name): schema for name, schema in named if schema})
    return Tools(offers=offers, schemas=schemas)


def _lists(file: str, server: str, lists: object, found: Findings) -> Iterator[tuple[str, list[object]]]:
    if not isinstance(lists, dict):
        found.error(file, 0, 0, "bad-tools", f"{quote(server)} is not an object, expected {one_of(_KINDS)} in it")
        return
    for kind, entries in lists.items():
        if kind not in _KINDS:
            found.error(file, 0, 0, "bad-tools", f"{quote(f'{server}.{kind}')} is unknown, expected {one_of(_KINDS)}")
        elif not isinstance(entries, list):
            found.error(file, 0, 0, "bad-tools", f"{quote(f'{server}.{kind}')} is not a list")
        else:
            yield kind, entries


def _named(
    file: str, where: str, entries: list[object], key: str, found: Findings
) -> Iterator[tuple[str, Mapping[str, object]]]:
    for index, entry in enumerate(entries):
        name = entry.get(key) if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name or not isinstance(entry, dict):
            found.error(file, 0, 0, "bad-tools", f"{quote(f'{where}[{index}]')} has no `{key}`")
            continue
        schema = entry.get("inputSchema")
        yield name, schema if isinstance(schema, dict) else {}


def _joined(offer: Offer, kind: str, names: list[str]) -> Offer:
    if kind == "resourceTemplates":
        # RFC 6570: what stands before the first expression is literal.
        return Offer(
            names=offer.names, templates=offer.templates | {_EXPRESSION.split(name, maxsplit=1)[0] for name in names}
        )
    return Offer(names=offer.names | frozenset(names), templates=offer.templates)
