"""The assistant as an ASGI app: protected by the middleware, behind the gateway or, for comparison, not at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from examples.gateway.behind import BehindGateway
from examples.ops_assistant import server
from examples.ops_assistant.store import Author, Store
from mcp_adapter import AuthzMiddleware, current_principal

SIDECAR = "unix:var/run/authz.sock"
_PUBLIC = ("/health",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The gateway that stands before the assistant."""

    url: str
    """Its `public_url`."""
    keys: Path
    """Its `identity-jwks.json`."""
    knows_us_as: str
    """The `url` of the assistant in its configuration."""


def build(
    database: Path, *, protected: bool = True, behind: Gateway | None = None, sidecar: str = SIDECAR, **options: Any
) -> ASGIApp:
    """Give the app that serves `/mcp` and `/health`; `options` go to `AuthzMiddleware`.

    Behind a gateway nobody else comes in. Unprotected, everybody may do everything and every ticket's author is
    `unprotected`.
    """
    store = Store(database)
    assistant = server.build(store, _verified if protected else _unprotected)

    @assistant.custom_route("/health", ["GET"])  # type: ignore[untyped-decorator] # the SDK gives it no type
    async def health(_request: Request) -> Response:
        await run_in_threadpool(store.summary)
        return JSONResponse({"status": "ok"})

    app = assistant.streamable_http_app()
    if not protected:
        return app
    if behind is not None:
        return BehindGateway(
            app, jwks=behind.keys, issuer=behind.url, audience=behind.knows_us_as, public_paths=_PUBLIC
        )
    return AuthzMiddleware(app, server="ops-assistant", sidecar=sidecar, public_paths=_PUBLIC, **options)


def _verified(ctx: Context[Any, Any]) -> Author:
    # One line for both: it is the middleware's own word, or the gateway's, whose signature was verified.
    principal = current_principal(ctx)
    return Author(subject=principal.subject, issuer=principal.issuer)


def _unprotected(_ctx: Context[Any, Any]) -> Author:
    return Author(subject="unprotected")
