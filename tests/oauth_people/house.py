"""An authorization server in one process, with people in it, and a browser without windows."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from authz_sidecar.oauth.app import app
from authz_sidecar.oauth.authorize import Authorizations
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.outbox import Outbox
from authz_sidecar.oauth.people.accounts import Accounts
from authz_sidecar.oauth.people.door import People
from authz_sidecar.oauth.people.passwords import Cost, Passwords
from authz_sidecar.oauth.settings import Resource, Scope, Settings
from authz_sidecar.oauth.store import Store
from tests.oauth.fresh import migrated

WAIT: Final = 10.0
ISSUER: Final = "https://login.example"
PASSWORD: Final = "correct horse battery"
CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
RESOURCE: Final = "https://ops.example/mcp"
CHEAP: Final = Cost(rounds=1, memory_kib=64, lanes=1)

READ = Scope(name="tickets:read", words={"en": "Read tickets", "ko": "티켓 읽기"})
WRITE = Scope(name="tickets:write", words={"en": "Create and change tickets", "ko": "티켓 만들기와 수정"})
BARE = Scope(name="stock:read")

CLIENTS: Final = (
    Client(
        id="assistant", origin=Origin.CONFIGURED, name="Team Assistant", redirect_uris=("https://app.example/back",)
    ),
    Client(id="registered-1", origin=Origin.REGISTERED, name="Desk Tool", redirect_uris=("http://127.0.0.1/callback",)),
    Client(id="desktop", origin=Origin.CONFIGURED, name="Desktop", redirect_uris=("http://127.0.0.1/callback",)),
    Client(id="phone", origin=Origin.CONFIGURED, name="Phone", redirect_uris=("com.example.app:/back",)),
    Client(
        id="https://tool.example/client.json",
        origin=Origin.DOCUMENT,
        name="Tool",
        redirect_uris=("https://tool.example/back",),
    ),
    Client(
        id="backend",
        origin=Origin.CONFIGURED,
        name="Backend",
        proof=Proof.BASIC,
        redirect_uris=("http://127.0.0.1/callback",),
    ),
)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Known:
    """Knows some clients, and can forget or rename them."""

    clients: dict[str, Client] = field(default_factory=lambda: {one.id: one for one in CLIENTS})

    async def find(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    def rename(self, client_id: str, name: str) -> None:
        self.clients[client_id] = replace(self.clients[client_id], name=name)


@dataclass(kw_only=True)
class House:
    """The server's parts."""

    settings: Settings
    store: Store
    clock: Clock
    known: Known
    accounts: Accounts
    passwords: Passwords
    grants: Grants
    people: People
    app: object

    async def add(self, name: str = "alice", **more: object) -> None:
        await self.accounts.add(name, self.passwords.hash(PASSWORD), **more)  # type: ignore[arg-type]

    def browser(self, **headers: str) -> "Browser":
        return Browser(self, headers)


@asynccontextmanager
async def house(folder: Path, *, issuer: str = ISSUER, database: str = "") -> AsyncIterator[House]:
    """Build one over a database of its own; alice is there."""
    settings = Settings(
        issuer=issuer,
        resources=(Resource(uri=RESOURCE, name="Ops assistant", scopes=(READ, WRITE, BARE)),),
    )
    store, clock, known = Store(database or f"sqlite:///{folder}/oauth.db"), Clock(), Known()
    await migrated(store, None if database else folder / "oauth.db")
    outbox = Outbox(store=store, issuer=issuer, targets={}, clock=clock)
    grants = Grants(store=store, settings=settings, clock=clock, outbox=outbox)
    authorizations = Authorizations(settings=settings, clients=known, codes=grants)
    passwords = Passwords(CHEAP)
    people = People(
        store=store,
        settings=settings,
        authorizations=authorizations,
        grants=grants,
        clock=clock,
        ticks=clock,
        passwords=passwords,
    )
    made = House(
        settings=settings,
        store=store,
        clock=clock,
        known=known,
        accounts=Accounts(store, clock),
        passwords=passwords,
        grants=grants,
        people=people,
        app=app(settings=settings, authorizations=authorizations, door=people),
    )
    await made.add(shown="Alice Kim", roles=["support"])
    try:
        yield made
    finally:
        await store.close()


class Browser:
    """Keeps cookies, fills in forms, and goes where it is sent within the server."""

    def __init__(self, of: House, headers: dict[str, str]) -> None:
        self.house = of
        transport = httpx.ASGITransport(app=of.app)  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url=of.settings.origin, headers=headers, timeout=WAIT)
        self.base = of.settings.path

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"{self.base}{path}")

    async def ask(self, **parameters: str) -> httpx.Response:
        return await self.get(f"/authorize?{query(**parameters)}")

    async def send(self, page: httpx.Response, action: str, **typed: str) -> httpx.Response:
        """Send the form of a page with this action, filled in; one that goes on within the server is followed."""
        answer = await self.http.post(f"{self.base}{action}", data=fields(page, f"{self.base}{action}") | typed)
        if answer.status_code == 303 and answer.headers["location"].startswith("/"):
            return await self.http.get(answer.headers["location"])
        return answer

    async def log_in(
        self, page: httpx.Response | None = None, *, name: str = "alice", password: str = PASSWORD
    ) -> httpx.Response:
        return await self.send(page or await self.get("/login"), "/login", name=name, password=password)

    async def allow(self, page: httpx.Response) -> httpx.Response:
        return await self.send(page, "/consent", decision="allow")

    async def decline(self, page: httpx.Response) -> httpx.Response:
        return await self.send(page, "/consent", decision="decline")


def query(**changed: str) -> str:
    """Spell an authorization request; an empty value leaves a parameter out."""
    usual = {
        "response_type": "code",
        "client_id": "assistant",
        "redirect_uri": "",
        "scope": "tickets:read",
        "state": "xyz",
        "resource": RESOURCE,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return urlencode({name: value for name, value in (usual | changed).items() if value})


def fields(page: httpx.Response, action: str) -> dict[str, str]:
    """Give the hidden fields of the form with this action."""
    for form in re.findall(r"<form [^>]*>.*?</form>", page.text, re.DOTALL):
        if f'action="{action}"' in form:
            found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
            return {name: html.unescape(value) for name, value in found}
    raise AssertionError(f"no form goes to {action}: {page.status_code} {page.text[:300]}")


def gone(answer: httpx.Response) -> str:
    """Give the URL that the browser is sent to outside, by a redirect or by the page that leads on."""
    if answer.status_code == 303:
        return answer.headers["location"]
    found = re.search(r'<meta http-equiv="refresh" content="0;url=([^"]+)">', answer.text)
    assert found, answer.text
    return html.unescape(found[1])


def told(url: str) -> dict[str, str]:
    """Give what a client is told by a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
