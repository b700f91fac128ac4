"""A Starlette route that reads a form and answers JSON, and nothing else: `python -m bench.bare_route PORT`"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def token(http: Request) -> JSONResponse:
    async with http.form() as form:
        return JSONResponse({"access_token": "x" * 700, "scope": form.get("scope", "")})


async def ready(_: Request) -> JSONResponse:
    return JSONResponse({})


if __name__ == "__main__":
    app = Starlette(routes=[Route("/token", token, methods=["POST"]), Route("/ready", ready)])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", ws="none", access_log=False)
