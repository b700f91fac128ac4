"""The whole sidecar in this process, on sockets of its own, and short ways to ask it."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest

from authz_sidecar import app, configfile
from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import mint
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from examples.demo.processes import free_port

WAIT: Final = 10.0
AUDIENCE: Final = "https://ops.example/mcp"
POLICY: Final = "p, role:user, ops, tools/call, echo, allow\ng, user:alice, role:user\n"
_MODEL: Final = Path(__file__).parents[2] / "policies" / "model.conf"


@dataclass(frozen=True)
class House:
    """A directory with everything that a sidecar needs; the name is short enough for a socket."""

    home: Path
    http_port: int

    @property
    def config(self) -> Path:
        return self.home / "authz.toml"

    @property
    def policy(self) -> Path:
        return self.home / "policies" / "policy.csv"

    @property
    def socket(self) -> Path:
        return self.home / "run" / "authz.sock"

    @property
    def decisions(self) -> list[dict[str, Any]]:
        log = self.home / "var" / "audit" / "decisions.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def configure(self, *, issuers: str, extra: str = "", listen: str = "") -> None:
        self.config.write_text(
            f'state_dir = "var"\n[listen]\nsocket = "run/authz.sock"\n{listen}\n'
            f'[http]\nbind = "127.0.0.1:{self.http_port}"\n'
            f'{issuers}\n[[servers]]\nname = "ops"\naudience = "{AUDIENCE}"\n{extra}'
        )

    def issuer(self, alias: str = "main", *, development: bool = True, more: str = "") -> str:
        """Make an issuer with a key of its own; give its part of the configuration."""
        key = mint.generate_key("ES256", development=development)
        (self.home / f"{alias}.key").write_text(json.dumps(key))
        (self.home / f"{alias}.jwks").write_text(json.dumps(mint.public_jwks([key])))
        return (
            f'[[issuers]]\nalias = "{alias}"\nissuer = "https://{alias}.example"\njwks_file = "{alias}.jwks"\n'
            f'algorithms = ["ES256"]\ndevelopment = {str(development).lower()}\n{more}\n'
        )

    def token(self, sub: str = "alice", alias: str = "main", **changed: Any) -> str:
        key = json.loads((self.home / f"{alias}.key").read_text())
        now = int(time.time())
        claims = {"iss": f"https://{alias}.example", "aud": AUDIENCE, "sub": sub, "iat": now, "exp": now + 600}
        return mint.mint(key, claims | changed)


@contextmanager
def house() -> Iterator[House]:
    """Lay out a house with one development issuer and a policy that allows `echo` to alice."""
    found = House(Path(tempfile.mkdtemp(prefix="authz")), free_port())
    try:
        found.policy.parent.mkdir()
        found.policy.write_text(POLICY)
        shutil.copy(_MODEL, found.policy.parent)
        found.configure(issuers=found.issuer())
        yield found
    finally:
        shutil.rmtree(found.home)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[rpc.AuthorizationServiceStub]:
    """Run the sidecar until the block ends; a start that fails raises what it raised."""
    stop, started = asyncio.Event(), asyncio.Event()
    served = asyncio.create_task(app.serve(configfile.load(house.config, {}), stop=stop, started=started))
    begun = asyncio.create_task(started.wait())
    try:
        async with asyncio.timeout(WAIT):
            await asyncio.wait({served, begun}, return_when=asyncio.FIRST_COMPLETED)
        if served.done():
            served.result()
        async with grpc.aio.insecure_channel(f"unix:{house.socket}") as channel:
            yield rpc.AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call] # generated
    finally:
        begun.cancel()
        stop.set()
        async with asyncio.timeout(WAIT):
            await asyncio.wait({served})
    served.result()


async def refused(home: House) -> str:
    """Give what the start is refused with."""
    with pytest.raises(ConfigError) as told:
        async with running(home):
            pass
    return str(told.value)


async def ask(stub: Any, token: str, tool: str = "echo", **more: Any) -> pb.CheckResponse:
    request = pb.CheckRequest(token=token, method="tools/call", tool=tool, **more)
    answer: pb.CheckResponse = await stub.Check(request, timeout=WAIT)
    return answer


async def until(look: Any) -> Any:
    """Look again until there is something, ten seconds at most."""
    async with asyncio.timeout(WAIT):
        while True:
            found = look()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            await asyncio.sleep(0.02)
