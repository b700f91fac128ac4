"""The gateway's own answers, about limits and about servers that do not answer as they should."""

from dataclasses import dataclass
from typing import Final

from mcp_adapter.asgi_types import Scope, Send
from mcp_adapter.challenge import error_body
from mcp_adapter.passed import PASSED_KEY, Passed

LIMITED: Final = 42900
BAD_GATEWAY: Final = 50200
DOWN: Final = 50310
NOT_COUNTED: Final = 50320
TIMED_OUT: Final = 50400

_NOBODY: Final = Passed(id=None, method="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a request that was let through is not answered by the server."""

    status: int
    code: int
    message: str
    """May be shown to the caller."""
    detail: str = ""
    """For our log alone."""
    outcome: str = ""
    """Of the audit event, where it is not that of the decision."""
    retry_after: int = 0
    """Seconds; 0 when nobody knows."""


def passed(scope: Scope) -> Passed:
    """Give what was judged; a request that nobody judged, such as a probe, has no name."""
    found = scope.get(PASSED_KEY)
    return found if isinstance(found, Passed) else _NOBODY


async def tell(scope: Scope, send: Send, trouble: Trouble) -> None:
    """Answer with a JSON-RPC error that carries the request's id, and note it in the audit event."""
    request = passed(scope)
    request.note(trouble.detail or trouble.message, trouble.outcome)
    body = error_body(request.id, trouble.code, trouble.message, {})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
    ]
    if trouble.retry_after:
        headers.append((b"retry-after", str(trouble.retry_after).encode("ascii")))
    await send({"type": "http.response.start", "status": trouble.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
