"""Remembering which arguments of a tool are repeated in headers, and comparing the two."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final, cast

import msgspec

from mcp_adapter.headers import Headers
from mcp_adapter.jsonrpc import Message
from mcp_adapter.mirror import decoded, mismatch

_MOST: Final = 1_000
_DEEPEST: Final = 8
_PREFIX: Final = "mcp-param-"
_SPELLABLE: Final = {"string": str, "integer": int, "boolean": bool}
_ANNOTATION: Final = "x-mcp-header"

Path = tuple[str, ...]


class Params:
    """What lists of tools that passed us say of headers `Mcp-Param-*` (MCP 2026-07-28, "Custom Headers").

    Only tools with such headers are kept, the latest 1,000. A header that contradicts the body is refused, so that
    nobody routes by a value that was not judged; one that is missing is for the server to miss, which knows its tools
    as they are now.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: OrderedDict[str, tuple[tuple[Path, bytes], ...]] = OrderedDict()

    def learn(self, tool: Mapping[str, msgspec.Raw]) -> None:
        """Take a tool as it stands in a list."""
        try:
            name = msgspec.json.decode(tool.get("name", msgspec.Raw(b"null")))
            schema = msgspec.json.decode(tool["inputSchema"]) if _mentions(tool) else None
        except msgspec.DecodeError:
            return
        if not isinstance(name, str):
            return
        found = tuple(_annotated(schema, ()))
        self._known.pop(name, None)
        if found and len({header for _, header in found}) == len(found):  # an ambiguous schema says nothing
            self._known[name] = found
            if len(self._known) > _MOST:
                self._known.popitem(last=False)

    def check(self, headers: Headers, message: Message) -> None:
        """Compare; raises `Refusal` (400, -32020)."""
        if message.method != "tools/call":
            return
        known = self._known.get(str(message.params.get("name")))
        for path, header in known or ():
            said = headers.get(header)
            if said is not None and decoded(said.decode("latin-1")) != _spelled(message.params, path):
                raise mismatch(header.decode("ascii"), message)


def _mentions(tool: Mapping[str, msgspec.Raw]) -> bool:
    """Look before reading: most tools have no such header, and schemas are long."""
    return _ANNOTATION.encode() in bytes(tool.get("inputSchema", msgspec.Raw(b"")))


def _annotated(schema: object, path: Path) -> Iterator[tuple[Path, bytes]]:
    """Give every property with a header that is reached by way of properties alone."""
    if not isinstance(schema, dict) or len(path) > _DEEPEST:
        return
    header = schema.get(_ANNOTATION)
    if path and isinstance(header, str) and header.isascii() and schema.get("type") in _SPELLABLE:
        yield path, (_PREFIX + header.lower()).encode("ascii")
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, below in properties.items():
            yield from _annotated(below, (*path, str(name)))


def _spelled(params: Mapping[str, object], path: Path) -> str | None:
    """Spell an argument as a header does; None where there is none, or none that a header can hold."""
    value = params.get("arguments")
    for key in path:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None
