"""The whole circle, step by step: from 401 to a working call, and to the end of the access."""

import asyncio
import base64
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from mcp import Client

from examples.demo import processes
from examples.oauth_flow import callback
from examples.oauth_flow.app import App, Browser, Exchange, call
from examples.oauth_flow.stage import NAME, Stage
from examples.oauth_flow.teller import Teller

TICKET: Final = {"title": "Printer on fire", "body": "Floor 3", "priority": "high"}
_SHOWN: Final = ("iss", "sub", "aud", "scope", "roles", "grant_id")
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How an authorization server is found and spoken to."""

    discovery: str
    """What the client asks it first, and the status of the answer."""
    register: str
    revoke: str
    name: str = "login server"
    tells_sidecars: bool = True
    """Whether what is revoked there is refused here at the next question."""


OWN: Final = Server(
    discovery="GET /.well-known/oauth-authorization-server 200", register="POST /register 201", revoke="/revoke"
)


@dataclass(slots=True, kw_only=True)
class Circle:
    """One run of it."""

    stage: Stage
    server: Server
    browser: Browser
    teller: Teller
    _app: App = field(init=False)

    async def run(self) -> None:
        """Tell the whole story once."""
        await self._nobody()
        async with AsyncExitStack() as stack:
            waiting = await stack.enter_async_context(callback.waiting())
            self._app = App(url=self.stage.url, browser=self.browser, callback=waiting)
            client = await self._login(stack)
            await self._step_up(client)
            await self._refresh(client)
            await self._never(client)
        await self._revoke()

    async def _nobody(self) -> None:
        self.teller.step("A client without a token is told where to go")
        status, challenge = await knock(self.stage.url, "")
        self.teller.say(f"{status}  WWW-Authenticate: {challenge}")
        self.teller.check(status == 401 and "resource_metadata=" in challenge, "401 that names the metadata")

    async def _login(self, stack: AsyncExitStack) -> Client:
        self.teller.step(
            "The official MCP client goes there: metadata, registration, PKCE, login, consent, token, call"
        )
        client = await stack.enter_async_context(self._app.connected())
        answer = await call(client, "lookup_inventory", {"query": "laptop"})
        self._held_to(
            "POST /mcp 401",
            "GET /.well-known/oauth-protected-resource/mcp 200",
            self.server.discovery,
            self.server.register,
            "POST /token 200",
            "POST /mcp 200",
            pages=2,
        )
        self._token()
        self._called("lookup_inventory", answer, "LAP-14")
        return client

    async def _step_up(self, client: Client) -> None:
        self.teller.step(
            "A tool that needs a further scope: 403 insufficient_scope, a wider consent, and the call works"
        )
        answer = await call(client, "create_ticket", TICKET)
        challenge = self._held_to("POST /mcp 403", "POST /token 200", "POST /mcp 200", pages=1)
        self.teller.check(
            'error="insufficient_scope"' in challenge and "tickets:write" in challenge,
            "a challenge that names the scope",
        )
        self._token()
        self._called("create_ticket", answer, f'"author": "{NAME}"')  # which the gateway signed, and nobody else could

    async def _refresh(self, client: Client) -> None:
        self.teller.step("The access token has ended: the client refreshes, without a person")
        before = self._tokens()
        self._app.age()
        answer = await call(client, "list_tickets", {})
        self._held_to("POST /token 200", "POST /mcp 200")
        after = self._tokens()
        self.teller.check(before["refresh_token"] != after["refresh_token"], "a new refresh token for the old one")
        self._called("list_tickets", answer, TICKET["title"])

    async def _never(self, client: Client) -> None:
        self.teller.step("A tool that the policy does not give: 403, and no consent could change that")
        answer = await call(client, "delete_ticket", {"ticket_id": 1})
        challenge = self._held_to("POST /mcp 403")
        self.teller.check("insufficient_scope" not in challenge, "no invitation to step up")
        self.teller.say(f"delete_ticket → {answer}")
        self.teller.check(answer.startswith("denied"), "a denial")

    async def _revoke(self) -> None:
        self.teller.step("The client gives its access back: the next check refuses a token that has not ended")
        held = self._tokens()
        form = {"client_id": held["client_id"], "token": held["refresh_token"]}
        before, _ = await knock(self.stage.url, held["access_token"])
        async with httpx2.AsyncClient(timeout=10) as http:
            done = await http.post(f"{self.stage.issuer}{self.server.revoke}", data=form)
        self.teller.say(f"the token before: {before}, then {self.server.revoke} {done.status_code}")
        self.teller.check((before, done.status_code) == (200, 200), "200 and 200")
        if not self.server.tells_sidecars:
            await self._by_hand(held["access_token"])
        after, challenge = await knock(self.stage.url, held["access_token"])
        self.teller.say(f"the token after: {after}  {challenge}")
        self.teller.check(after == 401 and 'error="invalid_token"' in challenge, "401 invalid_token")
        reason = self._last_reason()
        self.teller.say(f"the sidecar's decision log: {reason}")
        self.teller.check(reason == "token_revoked", "`token_revoked` in the decision log")

    async def _by_hand(self, token: str) -> None:
        """Revoke at the sidecar what a foreign server revoked for itself alone."""
        still, _ = await knock(self.stage.url, token)
        self.teller.say(
            f"a foreign server tells nobody, so the token goes on until its end: {still}; the operator runs"
        )
        self.teller.check(still == 200, "200")
        command = ("revoke", "--subject", NAME, "--issued-before", "now")
        self.teller.say(f"authz-sidecar {' '.join(command)}")
        await asyncio.to_thread(processes.run, *command, "--config", str(self.stage.ground.config))

    def _last_reason(self) -> str:
        """Read the latest decision; the log is written in batches, so wait a moment for it."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            events = [json.loads(line) for line in self.stage.ground.decisions.read_text().splitlines()]
            reasons = [str(one.get("reason", "")) for one in events if one["type"] == "decision"]
            if "token_revoked" in reasons[-1:] or time.monotonic() > until:
                return reasons[-1] if reasons else ""
            time.sleep(0.05)

    def _held_to(self, *wanted: str, pages: int = 0) -> str:
        """Show what was sent since the last time, and hold it to what it should be; gives the first challenge."""
        tape = self._app.took()
        self.teller.show(tape, {self.stage.issuer: self.server.name, self.stage.url.removesuffix("/mcp"): "gateway"})
        sent = [one for one in tape if isinstance(one, Exchange)]
        begun = [one.line for one in sent[: len(wanted)]] == list(wanted)
        good = begun and all(one.status < 300 for one in sent[len(wanted) :])
        self.teller.check(good, ", ".join(wanted))
        self.teller.check(len(tape) - len(sent) == pages, f"{pages} pages for the person")
        return sent[0].challenge if sent else ""

    def _called(self, tool: str, answer: str, wanted: str) -> None:
        self.teller.say(f"{tool} → {' '.join(answer.split())[:90]} …")
        self.teller.check(not answer.startswith("denied") and wanted in answer, f"`{wanted}` in the answer")

    def _token(self) -> None:
        payload = self._tokens()["access_token"].split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        shown = {name: claims[name] for name in _SHOWN if name in claims}
        self.teller.say(f"the token: {json.dumps(shown)}")
        self.teller.check(claims["aud"] == self.stage.url, "a token for this server alone")

    def _tokens(self) -> dict[str, str]:
        held = self._app.held
        if held.tokens is None or held.client is None or held.client.client_id is None:
            return {"access_token": "", "refresh_token": "", "client_id": ""}
        return {
            "access_token": held.tokens.access_token,
            "refresh_token": held.tokens.refresh_token or "",
            "client_id": held.client.client_id,
        }


async def knock(url: str, token: str) -> tuple[int, str]:
    """Ask for the tools without any client; gives status and challenge."""
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/list",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    async with httpx2.AsyncClient(timeout=10) as http:
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        answer = await http.post(url, json=body, headers=headers | bearer)
        return answer.status_code, answer.headers.get("www-authenticate", "")
