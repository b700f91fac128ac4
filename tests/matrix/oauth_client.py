"""The OAuth client of either generation of the MCP Python SDK: logs in, steps up, refreshes, and prints what it saw.

`python -m tests.matrix.oauth_client`, with a plan as JSON on standard input: `url`, and `person`, the command that
visits a page as a person would.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from examples.oauth_flow import callback
from tests.matrix.client import FIRST_GENERATION, call, http_library

if FIRST_GENERATION:
    from mcp import ClientSession
else:
    from mcp import Client
    from mcp.client.auth import AuthorizationCodeResult


class Storage:
    """What the client remembers."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


def provider(plan: dict[str, Any], found: callback.Callback, storage: Storage) -> OAuthClientProvider:
    async def ask(url: str) -> None:
        process = await asyncio.create_subprocess_exec(*plan["person"], url)
        assert await process.wait() == 0

    async def returned() -> Any:
        came = await found.returned()
        if FIRST_GENERATION:
            return came["code"], came["state"]
        return AuthorizationCodeResult(code=came["code"], state=came["state"], iss=came["iss"])

    metadata = {"redirect_uris": [found.url], "client_name": "Matrix", "token_endpoint_auth_method": "none"}
    return OAuthClientProvider(plan["url"], OAuthClientMetadata.model_validate(metadata), storage, ask, returned)


async def connected(stack: AsyncExitStack, plan: dict[str, Any], auth: OAuthClientProvider) -> Any:
    http = await stack.enter_async_context(http_library.AsyncClient(auth=auth, timeout=30))
    transport = streamable_http_client(plan["url"], http_client=http)
    if not FIRST_GENERATION:
        return await stack.enter_async_context(Client(transport))
    read, write, *_ = await stack.enter_async_context(transport)
    session = await stack.enter_async_context(ClientSession(read, write))
    await session.initialize()
    return session


async def main(plan: dict[str, Any]) -> dict[str, Any]:
    storage, scopes = Storage(), []
    async with asyncio.timeout(60), callback.waiting() as found, AsyncExitStack() as stack:
        auth = provider(plan, found, storage)
        client = await connected(stack, plan, auth)
        seen = {"read": await call(client, "list_tickets", {})}
        scopes.append(storage.tokens.scope)
        seen["stepped"] = await call(client, "create_ticket", plan["ticket"])
        scopes.append(storage.tokens.scope)
        before = storage.tokens.refresh_token
        auth.context.token_expiry_time = 1.0
        seen["refreshed"] = await call(client, "list_tickets", {})
        return seen | {"scopes": scopes, "rotated": storage.tokens.refresh_token not in (None, before)}


if __name__ == "__main__":
    json.dump(asyncio.run(main(json.load(sys.stdin))), sys.stdout)
