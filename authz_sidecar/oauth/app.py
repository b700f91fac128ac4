"""The application: every endpoint at its path, and the people's pages beside them."""

from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from authz_sidecar.oauth import forms
from authz_sidecar.oauth.authorize import Authorizations
from authz_sidecar.oauth.door import Door
from authz_sidecar.oauth.errors import InvalidRequest, RequestRefused, UnsafeRequest
from authz_sidecar.oauth.settings import Settings

NO_STORE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}

_log = structlog.stdlib.get_logger("authz_sidecar.oauth")


def app(
    *, settings: Settings, authorizations: Authorizations, door: Door, routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """Build the application; `routes` are the other endpoints of the core."""

    async def authorize(http: Request) -> Response:
        """RFC 6749 section 3.1: by GET, and by POST for what is too long for a URL."""
        try:
            given = http.query_params.multi_items() if http.method == "GET" else await forms.pairs(http)
            return await door.ask(http, await authorizations.read(given))
        except InvalidRequest:
            error = UnsafeRequest("the request is not a form that can be read", word="unreadable")
            return await door.unsafe(http, error)
        except UnsafeRequest as unsafe:
            return await door.unsafe(http, unsafe)
        except RequestRefused as refusal:
            if not refusal.trusted:
                return await door.astray(http, refusal)
            # 303, so that a POST is not repeated at the client (RFC 9700 section 4.12).
            return RedirectResponse(refusal.location, status_code=303, headers=NO_STORE)

    own = [Route(f"{settings.path}/authorize", authorize, methods=["GET", "POST"])]

    async def unavailable(http: Request, error: Exception) -> Response:
        """Say that the database does not answer; what was under way there is undone."""
        detail = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
        _log.error("oauth_database_failed", detail=detail)
        if "text/html" in http.headers.get("accept", ""):
            return door.unavailable(http)
        told = {"error": "temporarily_unavailable", "error_description": "try again in a moment"}
        return JSONResponse(told, status_code=503, headers={**NO_STORE, "retry-after": "5"})

    async def gone(_: Request, __: Exception) -> Response:
        """Answer nobody: a caller that leaves in the middle of a body would else fill our log with tracebacks."""
        return Response(status_code=400, headers=NO_STORE)

    handlers = {SQLAlchemyError: unavailable, ClientDisconnect: gone}
    made = Starlette(routes=[*own, *routes, *door.routes()], exception_handlers=handlers)
    made.router.redirect_slashes = False
    return made
