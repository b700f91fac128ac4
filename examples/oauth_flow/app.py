"""The application: the official MCP client with its own OAuth, and a tape of every request that it makes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2
from mcp import Client, MCPError
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from examples.oauth_flow.callback import Callback


class Refused(Exception):
    """The authorization server gives no code; the message has its words."""


class Browser(Protocol):
    """Whoever sits before the pages."""

    async def visit(self, url: str, callback: str) -> list[str]:
        """Go through the pages until the application's address, and tell what was shown and done."""


@dataclass(slots=True)
class Memory:
    """Where the client keeps what it holds."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Give the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep them."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Give the registration."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep it."""
        self.client = client_info


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what was answered, without anything secret."""

    method: str
    origin: str
    path: str
    status: int
    challenge: str

    @property
    def line(self) -> str:
        """Both in a line."""
        return f"{self.method} {self.path} {self.status}"


@dataclass(slots=True, kw_only=True)
class App:
    """The client; `tape` has every exchange and every page since it was last taken."""

    url: str
    browser: Browser
    callback: Callback
    tape: list[Exchange | str] = field(default_factory=list)
    held: Memory = field(default_factory=Memory)
    _auth: OAuthClientProvider = field(init=False)

    def __post_init__(self) -> None:
        """Set up its OAuth: it knows the address of the MCP server, and nothing else."""
        metadata = {
            "redirect_uris": [self.callback.url],
            "client_name": "Ops app",
            "token_endpoint_auth_method": "none",
        }
        self._auth = OAuthClientProvider(
            self.url, OAuthClientMetadata.model_validate(metadata), self.held, self._ask, self._returned
        )

    async def _ask(self, url: str) -> None:
        self.tape += await self.browser.visit(url, self.callback.url)

    async def _returned(self) -> AuthorizationCodeResult:
        came = await self.callback.returned()
        if "error" in came:
            raise Refused(f"{came['error']}: {came.get('error_description', '')}")
        return AuthorizationCodeResult(code=came.get("code", ""), state=came.get("state"), iss=came.get("iss"))

    def age(self) -> None:
        """Make it believe that its access token has ended, so that it refreshes."""
        self._auth.context.token_expiry_time = 1.0

    def took(self) -> list[Exchange | str]:
        """Take the tape."""
        taken, self.tape = self.tape, []
        return taken

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """Connect; whoever has no token is asked by the server to get one."""
        async with (
            httpx2.AsyncClient(auth=self._auth, timeout=30, event_hooks={"response": [self._note]}) as http,
            Client(streamable_http_client(self.url, http_client=http)) as client,
        ):
            yield client

    async def _note(self, response: httpx2.Response) -> None:
        parts = urlsplit(str(response.request.url))
        self.tape.append(
            Exchange(
                method=response.request.method,
                origin=f"{parts.scheme}://{parts.netloc}",
                path=parts.path,
                status=response.status_code,
                challenge=response.headers.get("www-authenticate", ""),
            )
        )


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """Call a tool; gives its text, or `denied: …`."""
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        return f"denied: {error.error.message}"
    return " ".join(getattr(part, "text", "") for part in result.content)
