"""What each MCP method acts on and which right it follows from: one table, so that all doors agree.

Source: the MCP specification, revisions 2024-11-05 to 2026-07-28, and the tasks extension.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """How a method is judged."""

    PASS = "pass"  # noqa: S105 - needs a valid token and nothing else
    RULE = "rule"
    """By the rows for the method itself."""
    FOLLOWS = "follows"
    """By the rows for the method itself, or else by those for the method it follows from."""
    LIST = "list"
    """Like FOLLOWS, without scopes and arguments; the list request itself (an empty tool) passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How one method is judged."""

    kind: Kind
    follows: str = ""


_PASS: Final = Method(kind=Kind.PASS)
_RULE: Final = Method(kind=Kind.RULE)


def _follows(method: str) -> Method:
    return Method(kind=Kind.FOLLOWS, follows=method)


def _list(method: str) -> Method:
    return Method(kind=Kind.LIST, follows=method)


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "initialize": _PASS,
        "ping": _PASS,
        "server/discover": _PASS,
        # Not methods of the protocol but things a client does on its transport; an enforcement point asks with these.
        "client/response": _PASS,
        "session/delete": _PASS,
        "session/stream": _PASS,
        "logging/setLevel": _RULE,
        "prompts/get": _RULE,
        "resources/read": _RULE,
        "tools/call": _RULE,
        "prompts/list": _list("prompts/get"),
        "resources/list": _list("resources/read"),
        "resources/templates/list": _list("resources/read"),
        "tools/list": _list("tools/call"),
        "resources/subscribe": _follows("resources/read"),
        "resources/unsubscribe": _follows("resources/read"),
        "subscriptions/listen": _follows("resources/read"),
        "completion/complete": Method(kind=Kind.FOLLOWS),
        "tasks/cancel": _follows("tools/call"),
        "tasks/get": _follows("tools/call"),
        "tasks/list": _list("tools/call"),
        "tasks/result": _follows("tools/call"),
        "tasks/update": _follows("tools/call"),
    }
)

_COMPLETIONS: Final = (("ref/prompt:", "prompts/get"), ("ref/resource:", "resources/read"))


def find(method: str, extra: frozenset[str]) -> Method | None:
    """Look a method up; `extra` are the server's own. None means that nobody knows it, and it is denied."""
    known = METHODS.get(method)
    if known is not None:
        return known
    if method.startswith("notifications/"):
        return _PASS
    return _RULE if method in extra else None


def followed(method: str, entry: Method, tool: str) -> tuple[str, str] | None:
    """Give the (method, tool) whose right `method` on `tool` follows from, or None where it follows from none."""
    if method == "completion/complete":
        for prefix, target in _COMPLETIONS:
            if tool.startswith(prefix):
                return target, tool.removeprefix(prefix)
        return None
    return (entry.follows, tool) if entry.follows else None
