"""What an app behind the adapter may know of a request that was let through."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

PASSED_KEY: Final = "authz.passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The request as it was judged; it stands in the ASGI scope under `PASSED_KEY`."""

    id: str | int | None
    """The JSON-RPC id, which an answer carries."""
    method: str
    tool: str = ""
    """What the method acts on; empty when that is nothing, or several things at once."""
    request_id: str = ""
    note: Callable[[str, str], None] = field(default=lambda detail, outcome: None)
    """Adds to the audit event why the request came to nothing after all: a detail, and an outcome where not empty."""
