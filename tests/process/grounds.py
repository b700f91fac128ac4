"""Real processes for tests: a playground with a short name, tokens without a process of their own, raw requests."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from authz_sidecar.tokens import mint
from examples.demo import processes
from examples.demo.processes import Playground
from tests.process import commands

WAIT: Final = 10.0
T = TypeVar("T")
ISSUER: Final = "https://issuer.demo.invalid"
VERSION: Final = "2026-07-28"
META: Final = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@contextmanager
def playground(*, mode: str = "enforce", tcp: str = "") -> Iterator[Playground]:
    """Lay out a playground in a directory with a name short enough for a socket, and remove it."""
    home = Path(tempfile.mkdtemp(prefix="authz"))
    try:
        ground = processes.prepare(home / "g", tcp=tcp, command=commands.run)
        if mode != "enforce":
            config = ground.config.read_text()
            ground.config.write_text(config.replace("[policy]", f'mode = "{mode}"\n\n[policy]'))
        yield ground
    finally:
        shutil.rmtree(home)


def claims(ground: Playground, user: str, *scopes: str) -> dict[str, Any]:
    now = int(time.time())
    said: dict[str, Any] = {"iss": ISSUER, "aud": ground.url, "sub": user, "iat": now, "exp": now + 600, "jti": user}
    return said | ({"scope": " ".join(scopes)} if scopes else {})


def token(ground: Playground, user: str, *scopes: str, **changed: Any) -> str:
    """Sign a token with the playground's key; `changed` claims replace or add."""
    key = mint.read_keys(ground.directory / "keys" / "signing-key.json")[0]
    return mint.mint(key, claims(ground, user, *scopes) | changed)


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """Spell a call of the stateless era, as anybody with curl would."""
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@dataclass(frozen=True)
class Ground:
    """A running playground, and short ways to knock."""

    playground: Playground

    def post(self, body: Any, bearer: str | None = None, **headers: str) -> httpx.Response:
        sent = HEADERS | headers | ({"Authorization": f"Bearer {bearer}"} if bearer is not None else {})
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        with httpx.Client(trust_env=False, timeout=WAIT) as http:
            return http.post(self.playground.url, content=content, headers=sent)

    def call(self, tool: str, bearer: str | None = None, **arguments: Any) -> httpx.Response:
        era = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        return self.post(call(tool, **arguments), bearer, **era)

    def decision(self, decision_id: str) -> dict[str, Any]:
        """Give the decision event of an id; it is written in batches, so wait for it."""
        found = until(
            lambda: [one for one in lines(self.playground.decisions) if one.get("decision_id") == decision_id]
        )
        assert len(found) == 1
        return found[0]


def until(look: Callable[[], T]) -> T:
    """Look again and again until there is something, ten seconds at most."""
    end = time.monotonic() + WAIT
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a log."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
