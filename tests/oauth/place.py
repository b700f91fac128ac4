"""A protected server, its authorization server of ours or the SDK's, and a client with a browser that is alice."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from authz_sidecar.oauth.flow_assertion import IdentityProvider
from authz_sidecar.oauth.sdk import SdkProvider
from authz_sidecar.oauth.settings import Resource, Scope
from examples.oauth_flow.app import Memory
from tests.oauth.world import World, world

BASE = "http://127.0.0.1:9400"
MCP = f"{BASE}/mcp"
CALLBACK = "http://127.0.0.1:3000/callback"


class Place:
    """A protected server, its authorization server, and a client with a browser that is alice."""

    def __init__(self, made: World, app: Starlette) -> None:
        self.made = made
        self.app = app
        self.storage = Memory()
        self.needs = "tickets:read"
        self._said: dict[str, list[str]] = {}

    async def protected(self, http: Request) -> Response:
        token = http.headers.get("authorization", "").removeprefix("Bearer ")
        claims = await self.made.core.tokens.active(token)
        metadata = f'resource_metadata="{BASE}/.well-known/oauth-protected-resource/mcp", scope="{self.needs}"'
        if claims is None:
            return Response(status_code=401, headers={"www-authenticate": f"Bearer {metadata}"})
        if not set(self.needs.split()) <= set(claims["scope"].split()):
            challenge = f'Bearer error="insufficient_scope", {metadata}'
            return Response(status_code=403, headers={"www-authenticate": challenge})
        return JSONResponse({"sub": claims["sub"], "scope": claims["scope"], "aud": claims["aud"]})

    async def browse(self, url: str) -> None:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as browser:
            response = await browser.get(url)
            while response.headers["location"].startswith(BASE):
                response = await browser.get(response.headers["location"])
        self._said = parse_qs(urlsplit(response.headers["location"]).query)

    async def returned(self) -> AuthorizationCodeResult:
        assert "error" not in self._said, self._said
        return AuthorizationCodeResult(
            code=self._said["code"][0], state=self._said["state"][0], iss=self._said["iss"][0]
        )

    @asynccontextmanager
    async def client(self, **metadata: object) -> AsyncIterator[httpx2.AsyncClient]:
        auth = OAuthClientProvider(
            MCP,
            OAuthClientMetadata.model_validate({"redirect_uris": [CALLBACK], "client_name": "Test"} | metadata),
            self.storage,
            self.browse,
            self.returned,
        )
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE, auth=auth) as http:
            yield http


@asynccontextmanager
async def place(
    directory: Path, *, sdk: bool, providers: Sequence[IdentityProvider] = (), **changes: object
) -> AsyncIterator[Place]:
    resource = Resource(uri=MCP, scopes=(Scope(name="tickets:read"), Scope(name="tickets:write")))
    mount = "/own" if sdk else None
    async with world(
        directory, providers=providers, issuer=BASE, resources=(resource,), mount=mount, **changes
    ) as made:
        routes: list[BaseRoute] = []
        found = Place(made, Starlette())
        if sdk:
            routes += create_auth_routes(
                SdkProvider(made.core, made.door, clock=made.now),
                # Its settings keep the spelling of the issuer; a plain `AnyHttpUrl` adds a slash, and clients give up.
                AuthSettings.model_validate({"issuer_url": BASE, "resource_server_url": None}).issuer_url,
                client_registration_options=ClientRegistrationOptions(enabled=True),
                revocation_options=RevocationOptions(enabled=True),
            )
        described = {"resource": MCP, "authorization_servers": [BASE], "scopes_supported": ["tickets:read"]}

        async def describe(_: Request) -> Response:
            return JSONResponse(described)

        found.app = Starlette(
            routes=[
                *routes,
                Route("/.well-known/oauth-protected-resource/mcp", describe),
                Route("/mcp", found.protected),
                Mount("/", made.core.application(made.door)),
            ]
        )
        yield found
