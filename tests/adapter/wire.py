"""Speaking MCP by hand, in either era, to see every byte of an answer."""

import json
from typing import Any, Self

import httpx2

MODERN = "2026-07-28"
OLD = "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "by-hand", "version": "1"},
}
MIRRORED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Caller:
    """One client; `open` begins a session in the old era."""

    def __init__(self, url: str, name: str, *, modern: bool, **headers: str) -> None:
        self.url, self.modern = f"{url}/mcp", modern
        self.http = httpx2.AsyncClient(timeout=10)
        self.headers = {
            "authorization": f"Bearer token-{name}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            **headers,
        }

    async def __aenter__(self) -> Self:
        if not self.modern:
            hello = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "by-hand", "version": "1"}}
            answer = await self.ask("initialize", hello)
            assert answer.status_code == 200, answer.text
            self.headers["mcp-protocol-version"] = OLD
            if "mcp-session-id" in answer.headers:
                self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
            await self.ask("notifications/initialized", None, number=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def ask(
        self, method: str, params: dict[str, Any] | None, number: int | str | None = 7, **more: str
    ) -> httpx2.Response:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if number is not None:
            message["id"] = number
        headers = self.headers | {name.replace("_", "-"): value for name, value in more.items()}
        if self.modern:
            params = {**(params or {}), "_meta": META}
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
            if method in MIRRORED:
                headers["mcp-name"] = str(params[MIRRORED[method]])
        if params is not None:
            message["params"] = params
        return await self.http.post(self.url, content=json.dumps(message).encode(), headers=headers)
