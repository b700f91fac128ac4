"""`docs/audit.md` tells every field of every event, and its examples are events."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from authz_sidecar import events

MANUAL: Final = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
SECTIONS: Final = {
    "decision": events.DecisionEvent,
    "admin": events.AdminEvent,
    "audit": events.AuditEvent,
    "who": events.Who,
    "rules": events.RuleLine,
    "shadow": events.ShadowLine,
}
EXAMPLES: Final = [line for block in re.findall(r"```json\n(.*?)```", MANUAL, re.DOTALL) for line in block.splitlines()]


def _section(name: str) -> str:
    heading = f'## `"type": "{name}"`' if name in {"decision", "admin", "audit"} else f"## `{name}`"
    return MANUAL.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("name", SECTIONS)
def test_every_field_is_told_and_no_other_in_the_order_of_the_line(name: str) -> None:
    told = re.findall(r"^\| `(\w+)` \|", _section(name), re.MULTILINE)
    assert told == list(SECTIONS[name].__struct_fields__)


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_an_event_as_it_is_written(line: str) -> None:
    event = msgspec.json.decode(line, type=events.DecisionEvent | events.AdminEvent | events.AuditEvent)
    assert events.encode(event) == f"{line}\n".encode()


def test_every_kind_of_event_has_an_example() -> None:
    assert {msgspec.json.decode(line)["type"] for line in EXAMPLES} == {"decision", "admin", "audit"}


def test_the_version_told_is_the_version_written() -> None:
    assert f"`v` is the version of the schema: {events.SCHEMA_VERSION}." in MANUAL
