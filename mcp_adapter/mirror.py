"""The two eras of the protocol: which one a request is of, and whether its headers say what its body says."""

import base64
import binascii
import re
from typing import Final

from mcp_adapter.headers import Headers
from mcp_adapter.jsonrpc import Kind, Message
from mcp_adapter.methods import METHODS
from mcp_adapter.refusal import HEADER_MISMATCH, Refusal, bad_request

_WITH_HANDSHAKE: Final = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
_VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
_SENTINEL: Final = re.compile(r"=\?base64\?(.*)\?=")


def is_modern(headers: Headers) -> bool:
    """Say whether a request is of the stateless era, by the rule of the servers: any version without a handshake."""
    version = headers.get(b"mcp-protocol-version")
    return version is not None and version.decode("latin-1") not in _WITH_HANDSHAKE


def check(headers: Headers, message: Message) -> None:
    """Compare the mirrored headers with the body; raises `Refusal` (400).

    MCP 2026-07-28, "Server Validation". The decision is on the body in any case; this keeps whoever routes by the
    headers from seeing another request than the one that was judged. In the old era nobody may trust them, and they
    are taken away.
    """
    meta = message.params.get("_meta")
    said = meta.get(_VERSION_KEY) if isinstance(meta, dict) else None
    if said is not None and said != headers.text(b"mcp-protocol-version"):
        raise mismatch("MCP-Protocol-Version", message)
    if not is_modern(headers):
        return
    if message.kind is Kind.RESPONSE:
        raise bad_request("a client of this protocol version sends no responses", request_id=message.id)
    if message.kind is Kind.REQUEST or headers.get(b"mcp-method") is not None:
        _equal(headers, "Mcp-Method", message.method, message)
    entry = METHODS.get(message.method)
    if entry is not None and entry.mirrored:
        _equal(headers, "Mcp-Name", message.params.get(entry.mirrored), message)


def _equal(headers: Headers, name: str, expected: object, message: Message) -> None:
    found = headers.get(name.lower().encode("ascii"))
    if found is None or decoded(found.decode("latin-1")) != expected:
        raise mismatch(name, message)


def decoded(value: str) -> str | None:
    """Undo the base64 sentinel; None for one that is not canonical, so that it equals nothing."""
    sentinel = _SENTINEL.fullmatch(value)
    if sentinel is None:
        return value
    try:
        raw = base64.b64decode(sentinel[1], validate=True)
        canonical = base64.b64encode(raw).decode("ascii") == sentinel[1]
        return raw.decode("utf-8") if canonical else None
    except (binascii.Error, ValueError):
        return None


def mismatch(name: str, message: Message) -> Refusal:
    """Give the refusal of a header that contradicts the body."""
    text = f"the header {name} does not say what the body says"
    return Refusal(400, HEADER_MISMATCH, text, request_id=message.id)
