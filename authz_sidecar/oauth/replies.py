"""Writing what the endpoints answer: JSON that nobody keeps, and errors as the RFCs spell them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authz_sidecar.oauth.errors import InvalidClient, OAuthError, SlowDown

Endpoint = Callable[[Request], Awaitable[Response]]

# RFC 6749 section 5.1; `pragma` for caches that are older than this century.
NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache", "referrer-policy": "no-referrer"}
# Pages of other origins may call what needs no cookie (the browser sends none with `*`).
OPEN: Final = {"access-control-allow-origin": "*", "access-control-expose-headers": "www-authenticate"}
_PREFLIGHT: Final = {
    **OPEN,
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, mcp-protocol-version",
    "access-control-max-age": "600",
}

_log: Final = structlog.stdlib.get_logger("authz_sidecar.oauth")


def told(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON that no cache keeps."""
    return JSONResponse(content, status_code=status, headers={**NO_STORE, **OPEN, **(headers or {})})


def public(content: object, *, seconds: int = 300) -> Response:
    """Answer with JSON that is the same for everybody."""
    return JSONResponse(content, headers={**OPEN, "cache-control": f"public, max-age={seconds}"})


def refused(error: OAuthError, *, endpoint: str) -> Response:
    """Answer with an error (RFC 6749 section 5.2), and say in our log what really was wrong."""
    _log.info("oauth_refused", endpoint=endpoint, error=error.code, detail=str(error))
    headers: dict[str, str] = {}
    if isinstance(error, InvalidClient) and error.basic:
        headers["www-authenticate"] = 'Basic realm="oauth", charset="UTF-8"'
    if isinstance(error, SlowDown):
        headers["retry-after"] = "60"
    return told({"error": error.code, "error_description": error.hint}, status=error.status, headers=headers)


def speaking(endpoint: str, handler: Endpoint) -> Endpoint:
    """Give a handler that answers OAuth errors and preflights; handlers themselves only raise."""

    async def answer(http: Request) -> Response:
        if http.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        try:
            return await handler(http)
        except OAuthError as error:
            return refused(error, endpoint=endpoint)

    return answer
