"""The HTTP application: `/metrics`, `/healthz`, `/readyz`, and nothing else."""

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from authz_sidecar.http.guard import Guard, not_found
from authz_sidecar.http.metrics import CONTENT_TYPE, Metrics

NotReadyBecause = Callable[[], str | None]
"""Gives the reason for not being ready, or None when ready."""


def http_app(*, metrics: Metrics, not_ready: NotReadyBecause, hosts: Iterable[str] = ()) -> ASGIApp:
    """Build the application; `hosts` are names by which others than the loopback may reach it."""

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        reason = not_ready()
        if reason is None:
            return JSONResponse({"ready": True})
        return JSONResponse({"ready": False, "reason": reason}, status_code=503)

    async def nothing(_: Request, __: Exception) -> Response:
        return not_found()

    routes = [Route("/metrics", show_metrics), Route("/healthz", live), Route("/readyz", ready)]
    app = Starlette(routes=routes, exception_handlers={404: nothing})
    app.router.redirect_slashes = False
    return Guard(app, hosts=hosts)
