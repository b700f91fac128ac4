"""An outside judge grades gateway and authorization server, and still condemns what is broken."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.demo.processes import free_port
from tests.gateway.process import gateway_process
from tests.matrix import authlab
from tests.matrix.environments import ROOT
from tests.oauth.town import PASSWORD, Town, town

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(300)]

# Each broken profile, and a check that it must fail.
BROKEN = {
    "legacy": "PRM-01",
    "weak-as": "ASM-05",
    "passthrough": "TOK-02",
    "sloppy": "PRM-05",
    "open": "CHAL-01",
    "mismatch": "PRM-02",
}
ALL = 33
LOOPBACK = {"TLS-01"}
"""What can only be met with TLS."""
TOOL = "list_secrets"
_CONFIG = """\
state_dir = "state"
[listen]
socket = "run/authz.sock"
[http]
bind = ""
[oauth]
issuer = "http://127.0.0.1:{oauth}"
bind = "127.0.0.1:{oauth}"
development = true
seed = "seed.toml"
registrations_per_hour = 1000
[oauth.scopes]
"tools:use" = {{ en = "Use tools" }}
"tools:more" = {{ en = "Use more tools" }}
[[issuers]]
alias = "own"
issuer = "http://127.0.0.1:{oauth}"
jwks_uri = "http://127.0.0.1:{oauth}/jwks"
algorithms = ["ES256"]
roles_claim = "roles"
groups_claim = "groups"
family_claim = "grant_id"
development = true
[[servers]]
name = "judged"
audience = "http://127.0.0.1:{gateway}/mcp"
[[servers]]
name = "other"
audience = "http://127.0.0.1:{gateway}/other"
[policy]
path = "policies"
"""
_GATEWAY = """\
public_url = "http://127.0.0.1:{gateway}"
state_dir = "gateway"
[listen]
bind = "127.0.0.1:{gateway}"
[status]
bind = ""
[sidecar]
target = "unix:{home}/run/authz.sock"
timeout_seconds = 10
[audit]
path = "gateway.jsonl"
[[servers]]
name = "judged"
path = "/mcp"
url = "{upstream}"
authorization_servers = ["http://127.0.0.1:{oauth}"]
scopes_supported = ["tools:use", "tools:more"]
scopes_hint = ["tools:use"]
"""
_POLICY = "p, role:support, judged, tools/call, *, allow\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A gateway before a server that protects nothing, with our authorization server."""

    url: str
    home: Path

    @property
    def foreign(self) -> str:
        """Another resource of the same authorization server."""
        return self.url.replace("/mcp", "/other")


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    with town() as place, ExitStack() as stack:
        gateway = _laid_out(place)
        upstream = stack.enter_context(authlab.fixture("open", place.home))
        config = place.home / "gateway.toml"
        names = {"gateway": gateway, "home": place.home, "upstream": upstream, "oauth": place.port}
        config.write_text(_GATEWAY.format(**names))
        stack.enter_context(place.oauth())
        stack.enter_context(place.sidecar())
        stack.enter_context(gateway_process(config))
        yield Whole(url=f"http://127.0.0.1:{gateway}/mcp", home=place.home)


def _laid_out(place: Town) -> int:
    gateway = free_port()
    place.config.write_text(_CONFIG.format(oauth=place.port, gateway=gateway))
    shutil.copy(ROOT / "policies" / "model.conf", place.home / "policies" / "model.conf")
    (place.home / "policies" / "policy.csv").write_text(_POLICY)
    (place.home / "policies" / "scopes.csv").write_text(
        f"server,method,tool,scopes\njudged,tools/call,{TOOL},tools:more\n"
    )
    return gateway


@pytest.mark.parametrize("profile", BROKEN)
def test_what_is_broken_is_condemned_when_it_stands_alone(profile: str, tmp_path: Path, grades: dict[str, str]) -> None:
    with authlab.fixture(profile, tmp_path) as url:
        authlab.login(url, tmp_path)
        report = authlab.scan(url, tmp_path)
    grades[f"its own profile {profile}, broken"] = report.line
    assert BROKEN[profile] in report.ids("fail", "warn"), report.line
    assert report.text["counts"]["error"] == 0


def test_the_gateway_alone_fails_nothing_without_a_login(whole: Whole, tmp_path: Path, grades: dict[str, str]) -> None:
    report = authlab.scan(whole.url, tmp_path, "--no-login")
    grades["our gateway, without a login"] = report.line
    assert report.ids("fail", "error") == set(), report.line
    assert report.ran >= 19
    assert report.ids("warn") <= LOOPBACK, report.line


def test_gateway_and_authorization_server_pass_every_check(
    whole: Whole, tmp_path: Path, grades: dict[str, str]
) -> None:
    said = authlab.login(
        whole.url, tmp_path, "--scope", "tools:use", "--foreign-resource", whole.foreign, person=("alice", PASSWORD)
    )
    assert said.startswith("0\n"), said
    report = authlab.scan(whole.url, tmp_path, "--tool", TOOL)
    grades["our gateway and authorization server"] = report.line
    assert report.ids("fail", "error") == set(), [one for one in report.text["results"] if one["status"] == "fail"]
    assert report.ids("warn") == LOOPBACK, report.line
    assert report.ran == ALL, report.line
    stepped = next(result for result in report.text["results"] if result["id"] == "SCOPE-01")
    assert "403" in stepped["message"], stepped
