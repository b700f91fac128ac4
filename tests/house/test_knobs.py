"""Every knob stands in the documentation, under its own section, and the documentation names none that there is not."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel

from authz_sidecar.cli.root import cli as sidecar
from authz_sidecar.config import Config
from mcp_adapter import AuthzMiddleware
from mcp_adapter.gateway.config import Gateway, Server

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_SECTION: Final = re.compile(r"`\[+([a-z_.]+)\]+ ?([a-z_]*)`")


def knobs(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give every section and key; a list of tables counts as one section."""
    for name, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner is None:
            yield prefix, name
        else:
            yield from knobs(inner, f"{prefix}.{name}".lstrip("."))


def _section(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def told(page: str) -> Mapping[str, set[str]]:
    """Give by section the keys that the tables of a page name; the rest of a row may name a table's own keys."""
    said: dict[str, set[str]] = {}
    for line in (DOCS / page).read_text().splitlines():
        if not line.startswith("| `"):
            continue
        cell, rest = line[2:].split(" | ", 1)
        section = ""
        for word in re.findall(r"`[^`]+`", cell):
            if found := _SECTION.fullmatch(word):
                section, key = found.groups()
                said.setdefault(section, set()).update([key] if key else re.findall(r"`([a-z_]+)`", rest))
            else:
                said.setdefault(section, set()).add(word.strip("`"))
    return said


def test_every_key_of_the_sidecar_is_documented() -> None:
    said = told("configuration.md")
    tables = {"scopes.implies": ("scopes", "implies"), "oauth.scopes": ("oauth", "scopes")}
    found = {(section, key) for section, keys in said.items() for key in keys}
    found |= {where for name, where in tables.items() if name in said}
    assert sorted(set(knobs(Config)) - found) == []


def test_the_documentation_names_no_key_that_the_sidecar_does_not_have() -> None:
    real = set(knobs(Config))
    sections = {section for section, _ in real if "." not in section}
    found = {
        (section, key) for section, keys in told("configuration.md").items() for key in keys if section in sections
    }
    assert sorted(one for one in found - real if one[0]) == []


def test_every_key_of_the_gateway_is_documented() -> None:
    said = told("gateway.md")
    wanted = {(section, key) for section, key in knobs(Gateway) if not section.startswith("servers")}
    assert sorted(one for one in wanted if one[1] not in said.get(one[0], set())) == []
    servers = {f"{section}.{key}".lstrip(".") for section, key in knobs(Server)}
    assert sorted(servers - said[""]) == []


def test_every_option_of_the_middleware_is_documented() -> None:
    page = (DOCS / "protect-a-server.md").read_text()
    options = [name for name in inspect.signature(AuthzMiddleware).parameters if name not in ("app", "client")]
    assert [name for name in options if f"`{name}" not in page] == []


@pytest.mark.parametrize("name", sorted(sidecar.commands))
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"`{name}[ `]", (DOCS / "configuration.md").read_text())
