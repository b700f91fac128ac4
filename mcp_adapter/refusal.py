"""A request that is answered without being judged, or instead of being let through."""

from typing import Final

INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
PARSE_ERROR: Final = -32700
HEADER_MISMATCH: Final = -32020
"""MCP 2026-07-28, "Error Codes": the routing headers do not say what the body says."""

SESSION_NOT_FOUND: Final = 40400
UNANSWERED: Final = 50300


class Refusal(Exception):
    """Why a request goes no further. The message may reach the caller; it never quotes a token or an argument."""

    def __init__(self, status: int, code: int, message: str, *, request_id: str | int | None = None) -> None:
        """Take the HTTP status, the JSON-RPC code, what is wrong, and the request's id where it is known."""
        super().__init__(message)
        self.status: Final = status
        self.code: Final = code
        self.message: Final = message
        self.request_id: Final = request_id


def bad_request(message: str, *, request_id: str | int | None = None) -> Refusal:
    """Give the refusal of a request that is not well formed."""
    return Refusal(400, INVALID_REQUEST, message, request_id=request_id)
