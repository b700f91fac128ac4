"""Lays out and starts the processes of the circle: login server, sidecar, ops assistant, gateway before it."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from examples.demo import processes
from examples.demo.processes import ROOT, Playground

NAME: Final = "alice"
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - its docstring says whose
"""Of an account that lives as long as the demo, on the loopback."""

_SIDECAR: Final = """\
state_dir = "state"

[listen]
socket = "run/authz.sock"

[http]
bind = "127.0.0.1:{http}"

[[issuers]]
alias = "own"
issuer = "{issuer}"
jwks_uri = "{issuer}/jwks"
algorithms = ["ES256"]
roles_claim = "roles"
development = true
{family}
[[servers]]
name = "ops-assistant"
audience = "{audience}"

[policy]
path = "policies"

[audit]
path = "audit"
"""
_OAUTH: Final = """
[oauth]
issuer = "{issuer}"
bind = "{bind}"
development = true
seed = "seed.toml"

[oauth.scopes]
"tickets:read"  = {{ en = "Read tickets and the inventory", ko = "티켓과 재고 읽기" }}
"tickets:write" = {{ en = "Create tickets in your name", ko = "내 이름으로 티켓 만들기" }}
"""
_OWN_CLAIMS: Final = 'groups_claim = "groups"\nfamily_claim = "grant_id"\n'
_SEED: Final = f"""\
[[users]]
name = "{NAME}"
shown = "Alice Kim"
password = "{PASSWORD}"
roles = ["support"]
"""
_GATEWAY: Final = """\
public_url = "http://127.0.0.1:{public}"
state_dir = "gateway"

[listen]
bind = "127.0.0.1:{public}"

[status]
bind = "127.0.0.1:{status}"

[sidecar]
target = "unix:{socket}"
timeout_seconds = 5

[audit]
path = "audit/requests.jsonl"

[[servers]]
name = "ops-assistant"
path = "/mcp"
url = "http://127.0.0.1:{behind}/mcp"
authorization_servers = ["{issuer}"]
scopes_supported = ["tickets:read", "tickets:write"]
scopes_hint = ["tickets:read"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where everything lies; `issuer` is the authorization server, ours or a foreign one."""

    ground: Playground
    issuer: str

    @property
    def url(self) -> str:
        """The protected MCP endpoint, and the audience of its tokens."""
        return self.ground.url


@contextmanager
def own(directory: Path) -> Iterator[Stage]:
    """Run the whole, with `authz-sidecar oauth serve` as authorization server, until the block ends."""
    issuer = f"http://127.0.0.1:{processes.free_port()}"
    stage = _laid_out(directory, issuer, family=_OWN_CLAIMS)
    with stage.ground.config.open("a") as config:
        config.write(_OAUTH.format(issuer=issuer, bind=issuer.removeprefix("http://")))
    (directory / "seed.toml").write_text(_SEED)
    command = [sys.executable, "-m", "authz_sidecar", "oauth", "serve", "--config", str(stage.ground.config)]
    log = directory / "oauth.log"
    with processes.process(command, log) as running:
        processes.wait(running, f"{issuer}/jwks", log)
        with _rest(stage):
            yield stage


@contextmanager
def behind(directory: Path, issuer: str, audience_port: int) -> Iterator[Stage]:
    """Run all but the authorization server, which is a foreign one that runs already."""
    stage = _laid_out(directory, issuer, port=audience_port)
    with _rest(stage):
        yield stage


def _laid_out(directory: Path, issuer: str, *, family: str = "", port: int = 0) -> Stage:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    shutil.copytree(ROOT / "policies", directory / "policies")
    policy = directory / "policies" / "policy.csv"
    # Here alice is support because the authorization server says so, in her token.
    policy.write_text(policy.read_text().replace("g, user:alice,   role:support\n", ""))
    expected = directory / "policies" / "expectations.csv"
    expected.write_text(expected.read_text().replace("user:alice,             ", "user:alice role:support,"))
    ground = Playground(
        directory=directory,
        policies=directory / "policies",
        mcp_port=port or processes.free_port(),
        http_port=processes.free_port(),
    )
    words = {"http": ground.http_port, "issuer": issuer, "audience": ground.url, "family": family}
    ground.config.write_text(_SIDECAR.format(**words))
    return Stage(ground=ground, issuer=issuer)


@contextmanager
def _rest(stage: Stage) -> Iterator[None]:
    ground = stage.ground
    home, inner, status = ground.directory, processes.free_port(), processes.free_port()
    config = home / "gateway.toml"
    words = {"public": ground.mcp_port, "status": status, "behind": inner, "socket": ground.socket}
    config.write_text(_GATEWAY.format(issuer=stage.issuer, **words))
    assistant = [
        *(sys.executable, "-m", "examples.ops_assistant", "--port", str(inner), "--database", str(home / "ops.db")),
        *("--gateway", f"http://127.0.0.1:{ground.mcp_port}"),
        *("--gateway-keys", str(home / "gateway" / "identity-jwks.json")),
    ]
    gateway = [sys.executable, "-m", "mcp_adapter", "gateway", "--config", str(config)]
    with ExitStack() as stack:
        stack.enter_context(processes.sidecar(ground))
        for command, ready, log in (
            (assistant, f"http://127.0.0.1:{inner}/health", home / "ops.log"),
            (gateway, f"http://127.0.0.1:{status}/readyz", home / "gateway.log"),
        ):
            processes.wait(stack.enter_context(processes.process(command, log)), ready, log)
        yield
