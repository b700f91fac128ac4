"""The server of `bench.peers`, on whichever FastMCP is installed: `python peer_server.py KIND PORT SETTINGS`.

It runs in environments that hold nothing of ours, so it imports what a KIND needs only then. SETTINGS is a JSON object.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from fastmcp import FastMCP

Settings = dict[str, Any]


def verifier(settings: Settings) -> Any:
    """Give FastMCP's own verifier of the token."""
    from fastmcp.server.auth.providers.jwt import JWTVerifier

    public = {name: settings[name] for name in ("public_key", "issuer", "audience")}
    return JWTVerifier(**public, algorithm="ES256")


def cerbos(settings: Settings, which: str = "cerbos") -> dict[str, Any]:
    from cerbos.sdk.model import Principal
    from cerbos_fastmcp import CerbosAuthorizationMiddleware

    middleware = CerbosAuthorizationMiddleware(
        settings[which], principal_builder=lambda token: Principal(id=token.claims["sub"], roles={"user"})
    )
    return {"auth": verifier(settings), "middleware": [middleware]}


def eunomia(settings: Settings) -> dict[str, Any]:
    from eunomia_mcp import create_eunomia_middleware

    middleware = create_eunomia_middleware(use_remote_eunomia=True, eunomia_endpoint=settings["eunomia"])
    return {"auth": verifier(settings), "middleware": [middleware]}


def eunomia_inside(settings: Settings) -> dict[str, Any]:
    from eunomia_mcp import create_eunomia_middleware

    middleware = create_eunomia_middleware(policy_file=settings["eunomia_policy"])
    return {"auth": verifier(settings), "middleware": [middleware]}


def hook(settings: Settings) -> dict[str, Any]:
    from mcp_adapter.fastmcp import AuthzFastMCPMiddleware

    ours = AuthzFastMCPMiddleware(server="everything", sidecar=settings["sidecar"], audit=settings["audit"])
    return {"middleware": [ours]}


def wrapped(app: Any, settings: Settings, **how: Any) -> Any:
    from mcp_adapter import AuthzMiddleware

    return AuthzMiddleware(app, server="everything", audit=settings["audit"], **how)


BUILT: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "cerbos": cerbos,
    "cerbos-logged": lambda settings: cerbos(settings, "cerbos-logged"),
    "eunomia": eunomia,
    "eunomia-inside": eunomia_inside,
    "hook": hook,
    "token": lambda settings: {"auth": verifier(settings)},
}


def build(kind: str, settings: Settings) -> Any:
    server = FastMCP("peers", **BUILT.get(kind, lambda _: {})(settings))

    @server.tool(name="echo")
    def echo(message: str) -> str:
        return f"Echo: {message}"

    @server.tool(name="get-env")
    def get_env() -> str:
        return "PATH=secret"

    app = server.http_app(path="/mcp", json_response=True, stateless_http=True)
    if kind == "middleware":
        return wrapped(app, settings, sidecar=settings["sidecar"])
    if kind == "embedded":
        return wrapped(app, settings, config=settings["config"])
    return app


def main(kind: str, port: str, settings: str) -> None:
    logging.getLogger("fastmcp").setLevel("WARNING")
    app = build(kind, json.loads(settings))
    # The same loop and parser for all, whatever else an environment holds.
    config = uvicorn.Config(app, port=int(port), log_level="warning", loop="asyncio", http="h11", ws="none")
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
