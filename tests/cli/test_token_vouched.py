"""`token inspect` beside a running sidecar: what was revoked, and opaque tokens that their issuer answers for."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from examples.demo.processes import Playground
from tests.cli.conftest import Run
from tests.process.grounds import token

pytestmark = pytest.mark.timeout(60)


def checks(out: str) -> dict[str, tuple[str, str]]:
    return {one["check"]: (one["outcome"], one["sentence"]) for one in json.loads(out)["checks"]}


def config(ground: Playground) -> Path:
    return ground.directory / "authz.toml"


def test_a_revoked_token_is_refused_by_the_sidecar_that_runs(run: Run, ground: Playground) -> None:
    bearer = token(ground, "alice", jti="stolen-1")
    before = run("token", "inspect", "-", "--json", "--config", config(ground), stdin=bearer.encode())
    assert before.code == 0, before.out
    assert checks(before.out)["revoked"] == ("passed", "the running sidecar accepts the token")
    assert run("revoke", "--jti", "stolen-1", "--config", config(ground)).code == 0
    after = run("token", "inspect", "-", "--json", "--config", config(ground), stdin=bearer.encode())
    assert after.code == 1
    assert json.loads(after.out)["reason"] == "token_revoked"
    assert json.loads(after.out)["subjects"] == []
    assert checks(after.out)["revoked"] == ("failed", "the running sidecar refuses it: token_revoked")
    shown = run("token", "inspect", "-", "--config", config(ground), stdin=bearer.encode())
    assert "authz-sidecar revocations" in shown.out
    assert bearer not in shown.out


def test_nobody_is_asked_about_a_token_that_is_refused_already(run: Run, ground: Playground) -> None:
    ended = token(ground, "alice", exp=1_000_000_000)
    said = run("token", "inspect", "-", "--json", "--config", config(ground), stdin=ended.encode())
    assert said.code == 1
    assert checks(said.out)["revoked"] == ("skipped", "needs a token that every check accepts")


def test_a_sidecar_that_does_not_know_the_server_cannot_say(run: Run, ground: Playground) -> None:
    other = ground.directory / "other.toml"
    other.write_text(f'{config(ground).read_text()}\n[[servers]]\nname = "new"\naudience = "https://new.example"\n')
    bearer = token(ground, "alice", aud="https://new.example")
    asked = ("token", "inspect", "-", "--server", "new", "--json", "--config", other)
    said = run(*asked, stdin=bearer.encode())
    assert said.code == 0, said.out + said.err
    assert checks(said.out)["revoked"][0] == "skipped"
    assert "server_unknown" in checks(said.out)["revoked"][1]


def test_without_a_sidecar_it_says_that_nobody_knows(run: Run, home: Path) -> None:
    minted = run("token", "mint", "--sub", "alice", "--config", home / "authz.toml").out
    said = run("token", "inspect", "-", "--json", "--config", home / "authz.toml", stdin=minted.encode())
    assert said.code == 0
    outcome, sentence = checks(said.out)["revoked"]
    assert outcome == "skipped"
    assert sentence.startswith("only a running sidecar knows: nobody answers at")


class _Issuer(BaseHTTPRequestHandler):
    answer: ClassVar[dict[str, Any]] = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def asked(home: Path) -> Iterator[Path]:
    """Configure an issuer of opaque tokens that answers on loopback."""
    with HTTPServer(("127.0.0.1", 0), _Issuer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        (home / "secret").write_text("of-the-client\n")
        (home / "secret").chmod(0o600)
        path = home / "authz.toml"
        head, _, rest = path.read_text().partition("[[issuers]]")
        rest = rest[rest.index("\n[") :]
        path.write_text(
            f'{head}[[issuers]]\nalias = "main"\nissuer = "https://idp.example"\n'
            f'introspection_uri = "http://127.0.0.1:{server.server_port}/introspect"\n'
            f'introspection_client_id = "sidecar"\nintrospection_secret_file = "secret"\n{rest}'
        )
        yield path
        server.shutdown()
        thread.join(10)


def test_an_opaque_token_is_explained_by_what_its_issuer_says(run: Run, asked: Path) -> None:
    now = time.time()
    _Issuer.answer = {"active": True, "sub": "alice", "aud": "http://127.0.0.1:8000/mcp", "exp": now + 300}
    said = run("token", "inspect", "-", "--json", "--config", asked, stdin=b"2YotnFZFEjr1zCsicMWpAA")
    assert said.code == 0, said.out + said.err
    found = json.loads(said.out)
    assert (found["subjects"], found["told_by_issuer"], found["signed"]) == (["user:alice"], True, False)
    assert checks(said.out)["asked"] == ("passed", "the issuer `main` says that it is active")
    shown = run("token", "inspect", "-", "--config", asked, stdin=b"2YotnFZFEjr1zCsicMWpAA")
    assert "anybody could have written this" not in shown.out
    _Issuer.answer = {"active": False}
    said = run("token", "inspect", "-", "--json", "--config", asked, stdin=b"2YotnFZFEjr1zCsicMWpAA")
    assert said.code == 1
    assert json.loads(said.out)["reason"] == "token_inactive"
