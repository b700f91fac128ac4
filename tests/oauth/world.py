"""An authorization server in memory, with a door that says yes, and a client that follows the flow."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from authz_sidecar.oauth import keyring, opaque
from authz_sidecar.oauth.authorize import AuthorizationRequest, Authorizations
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.clientauth import ClientKeys
from authz_sidecar.oauth.clients import Documents
from authz_sidecar.oauth.core import Core
from authz_sidecar.oauth.door import Person
from authz_sidecar.oauth.errors import RequestRefused, UnsafeRequest
from authz_sidecar.oauth.flow_assertion import IdentityProvider
from authz_sidecar.oauth.pkce import generate_pkce_pair
from authz_sidecar.oauth.settings import Resource, Scope, Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.ports import Revokes
from authz_sidecar.revocation import Kept, Receipt, Revocation
from tests.oauth.fresh import migrated

ISSUER = "https://as.example"
TICKETS = "https://ops.example/mcp"
BILLING = "https://billing.example/mcp"
CALLBACK = "https://app.example/callback"
SECRET = opaque.make("cs")


def settings(**changes: object) -> Settings:
    """Two resources with scopes of their own."""
    given: dict[str, object] = {
        "issuer": ISSUER,
        "resources": (
            Resource(
                uri=TICKETS,
                name="Tickets",
                scopes=(Scope(name="tickets:read", words={"en": "See tickets"}), Scope(name="tickets:write")),
            ),
            Resource(uri=BILLING, scopes=(Scope(name="billing:read"),)),
        ),
    }
    return Settings(**(given | changes))  # type: ignore[arg-type] # a table of changes


class Time:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Sidecar:
    """A `Revokes` that hears everything while it is up."""

    heard: list[Revocation] = field(default_factory=list)
    fails: Exception | None = None
    hears: asyncio.Event = field(default_factory=asyncio.Event)

    async def revoke(self, entry: Revocation) -> Receipt:
        if self.fails is not None:
            raise self.fails
        self.heard.append(entry)
        self.hears.set()
        return Receipt(kept=Kept(id="x", epoch=len(self.heard), revocation=entry, at=0.0, keep_until=0.0))


class Door:
    """Everybody is alice, and alice agrees to everything."""

    def __init__(self, authorizations: Authorizations, now: Time) -> None:
        self.authorizations = authorizations
        self.now = now
        self.people: dict[str, Person] = {"alice": Person(subject="alice", roles=("support",), groups=("emea",))}
        self.declines = False
        self.seen: list[AuthorizationRequest] = []

    async def person(self, subject: str) -> Person | None:
        return self.people.get(subject)

    async def ask(self, http: Request, request: AuthorizationRequest) -> Response:
        self.seen.append(request)
        if self.declines:
            return RedirectResponse(self.authorizations.refuse(request), status_code=303)
        to = await self.authorizations.issue_code(request, "alice", request.scopes, auth_time=self.now())
        return RedirectResponse(to, status_code=303)

    async def astray(self, http: Request, refusal: RequestRefused) -> Response:
        return PlainTextResponse(refusal.location, status_code=400)

    def unavailable(self, http: Request) -> Response:
        return PlainTextResponse("away", status_code=503)

    async def unsafe(self, http: Request, error: UnsafeRequest) -> Response:
        return PlainTextResponse(str(error), status_code=400)

    def routes(self) -> Sequence[BaseRoute]:
        return []


@dataclass
class World:
    """The server, and what a test needs of it."""

    core: Core
    door: Door
    now: Time
    http: httpx2.AsyncClient
    sidecar: Sidecar
    store: Store
    settings: Settings

    async def add(self, **changes: object) -> Client:
        """Add a client; a public one that the operator vouches for, unless told otherwise."""
        given: dict[str, object] = {"id": "app", "origin": Origin.CONFIGURED, "redirect_uris": (CALLBACK,)}
        client = Client(**(given | changes))  # type: ignore[arg-type] # a table of changes
        await self.core.registry.add(client)
        return client

    async def authorize(self, **changes: str | None) -> tuple[dict[str, str], str]:
        """Ask alice, and give what the redirect says, and the verifier."""
        verifier, challenge = generate_pkce_pair()
        response = await self.http.get("/authorize", params=self.asking(challenge, **changes))
        assert response.status_code == 303, response.text
        return dict(parse_qsl(urlsplit(response.headers["location"]).query)), verifier

    def asking(self, challenge: str, **changes: str | None) -> dict[str, str]:
        """Spell an authorization request."""
        given: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "app",
            "redirect_uri": CALLBACK,
            "state": "s1",
            "resource": TICKETS,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (given | changes).items() if value is not None}

    async def token(self, **given: str | None) -> httpx2.Response:
        """Call the token endpoint."""
        return await self.post("token", **given)

    async def post(self, endpoint: str, auth: tuple[str, str] | None = None, **given: str | None) -> httpx2.Response:
        """Send a form."""
        data = {name: value for name, value in given.items() if value is not None}
        return await self.http.post(f"/{endpoint}", data=data, auth=auth)

    async def redeem(self, code: str, verifier: str, /, **changes: str | None) -> httpx2.Response:
        """Spend a code as the public client does."""
        given: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "client_id": "app",
            "redirect_uri": CALLBACK,
        }
        return await self.token(**(given | changes))

    async def granted(self, **changes: str | None) -> dict[str, str]:
        """Go through the whole flow, and give the token response."""
        said, verifier = await self.authorize(**changes)
        response = await self.redeem(said["code"], verifier)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def refresh(self, token: str, /, **changes: str | None) -> httpx2.Response:
        """Refresh as the public client does."""
        given: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app"}
        return await self.token(**(given | changes))

    def claims(self, token: str) -> Mapping[str, object]:
        """Read one of our own access tokens."""
        found = self.core.tokens.signed(token)
        assert found is not None
        return found


_numbers = itertools.count()


@asynccontextmanager
async def world(
    directory: Path,
    *,
    url: str | None = None,
    documents: Documents | None = None,
    published: ClientKeys | None = None,
    providers: Sequence[IdentityProvider] = (),
    targets: Mapping[str, Revokes] | None = None,
    **changes: object,
) -> AsyncIterator[World]:
    """Start a server."""
    now, sidecar, given = Time(), Sidecar(), settings(**changes)
    path = None if url else directory / f"oauth{next(_numbers)}.db"
    store = Store(url or f"sqlite:///{path}")
    await migrated(store, path)
    keys = directory / "keys"
    if not keys.exists():
        keyring.generate(keys, algorithm="ES256", now=now())
    core = Core(
        settings=given,
        store=store,
        keyring=keyring.Keyring(keys, clock=now),
        clock=now,
        targets={"sidecar": sidecar} if targets is None else targets,
        documents=documents,
        published=published,
        providers=providers,
    )
    door = Door(core.authorizations, now)
    transport = httpx2.ASGITransport(app=core.application(door))
    try:
        async with httpx2.AsyncClient(transport=transport, base_url=given.issuer) as http:
            yield World(core=core, door=door, now=now, http=http, sidecar=sidecar, store=store, settings=given)
    finally:
        await store.close()


def confidential(**changes: object) -> dict[str, object]:
    """Give what makes a client confidential."""
    return {"proof": Proof.BASIC, "secret_hash": opaque.digest(SECRET)} | changes


def query(location: str) -> dict[str, list[str]]:
    """Take a redirect apart."""
    return parse_qs(urlsplit(location).query)
