"""Filtering a list of an SDK as it will be on the wire."""

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import BaseModel

from mcp_adapter.filter import Filter, Sift, Unreadable
from mcp_adapter.hook import Shown


async def sifted(result: object, seen: Sift, *, modern: bool) -> tuple[dict[str, Any], Shown]:
    """Give what is left of a result; a task is asked about by its name. Raises `Unreadable` and `Unanswered`."""
    wire = result.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(result, BaseModel) else result
    if not isinstance(wire, Mapping):  # the filter would take it for an answer without a list
        raise Unreadable(f"a list is not what was expected: `{type(result).__name__}`")
    filtering = Filter(seen, modern=modern, task=lambda name: name)
    try:
        message = msgspec.json.encode({"result": wire})
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreadable(f"the list cannot be written as JSON: {error}") from None
    left: dict[str, Any] = msgspec.json.decode(await filtering.payload(message))["result"]
    return left, Shown(listed=filtering.listed or 0, hidden=filtering.hidden or 0)
