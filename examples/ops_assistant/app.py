"""The assistant as an ASGI app, protected by the sidecar or, for comparison, not."""

from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from examples.ops_assistant import server
from examples.ops_assistant.store import Author, Store
from mcp_adapter import AuthzMiddleware, current_principal

SIDECAR = "unix:var/run/authz.sock"


def build(database: Path, *, protected: bool = True, sidecar: str = SIDECAR, **options: Any) -> ASGIApp:
    """Give the app that serves `/mcp` and `/health`; `options` go to `AuthzMiddleware`.

    Unprotected, everybody may do everything and every ticket's author is `unprotected`.
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
    return AuthzMiddleware(app, server="ops-assistant", sidecar=sidecar, public_paths=("/health",), **options)


def _verified(ctx: Context[Any, Any]) -> Author:
    principal = current_principal(ctx)
    return Author(subject=principal.subject, issuer=principal.issuer)


def _unprotected(_ctx: Context[Any, Any]) -> Author:
    return Author(subject="unprotected")
