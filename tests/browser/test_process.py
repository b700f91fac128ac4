"""The real program: registered by itself, a client takes a person through login and consent to a token and back."""

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.browser.running import Running
from tests.oauth_people.house import PASSWORD

pytestmark = pytest.mark.browser

ROOT: Final = Path(__file__).resolve().parents[2]
WAIT: Final = 10.0
VERIFIER: Final = "a" * 64
CHALLENGE: Final = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
RESOURCE: Final = "https://ops.example/mcp"
CONFIG: Final = """
[oauth]
issuer = "{issuer}"
bind = "{bind}"
development = true
tell_sidecars = false
seed = "seed.toml"
[oauth.scopes]
"tickets:read" = {{ en = "Read tickets", ko = "티켓 읽기" }}
"""
SEED: Final = f"""
[[users]]
name = "alice"
shown = "Alice Kim"
password = "{PASSWORD}"
roles = ["support"]
"""


def _free() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def program(tmp_path: Path) -> Iterator[str]:
    """Run `authz-sidecar oauth serve` and give its issuer."""
    home = tmp_path / "home"
    command = [sys.executable, "-m", "authz_sidecar"]
    subprocess.run(
        [*command, "init", str(home), "--server", "ops", "--audience", RESOURCE], cwd=ROOT, check=True, timeout=60,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    port = _free()
    issuer = f"http://127.0.0.1:{port}"
    config = home / "authz.toml"
    config.write_text(config.read_text() + CONFIG.format(issuer=issuer, bind=f"127.0.0.1:{port}"))
    (home / "seed.toml").write_text(SEED)
    log = home / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "oauth", "serve", "--config", str(config), "--log-json"],
            cwd=home, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            _wait_for(process, issuer, log)
            yield issuer
        finally:
            process.terminate()
            process.wait(WAIT)
    for secret in (PASSWORD, "code=", "ac_", "rt_", "eyJ"):
        assert secret not in log.read_text()
    assert '"event": "login"' in log.read_text()


def _wait_for(process: subprocess.Popen[bytes], issuer: str, log: Path) -> None:
    until = time.monotonic() + 3 * WAIT
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"{issuer}/login", trust_env=False, timeout=1)
        except httpx.TransportError:
            continue
        return
    raise AssertionError(log.read_text())


def test_from_registration_to_a_token_and_its_withdrawal(
    program: str, server: Running, tab: Callable[..., Any]
) -> None:
    with httpx.Client(base_url=program, trust_env=False, timeout=WAIT) as http:
        client = _register(http, server.callback)
        page = tab()
        page.goto(f"{program}/authorize?{_request(client, server.callback)}")
        page.get_by_label("User name").fill("alice")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Allow Sample Client?").wait_for()
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{server.callback}?**")
        told = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        assert told["iss"] == program
        tokens = _redeem(http, client, server.callback, told["code"])
        claims = _claims(tokens["access_token"])
        assert (claims["sub"], claims["roles"], claims["aud"]) == ("alice", ["support"], RESOURCE)
        assert claims["scope"] == "tickets:read"
        page.goto(f"{program}/account")
        page.get_by_role("button", name="Withdraw access of Sample Client").click()
        page.get_by_role("status").wait_for()
        asked = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": client}
        refused = http.post("/token", data=asked)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def _register(http: httpx.Client, callback: str) -> str:
    body = {
        "client_name": "Sample Client",
        "redirect_uris": [callback],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    answer = http.post("/register", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


def _request(client: str, callback: str) -> str:
    return urlencode(
        {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": callback,
            "scope": "tickets:read",
            "resource": RESOURCE,
            "state": "xyz",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
    )


def _redeem(http: httpx.Client, client: str, callback: str, code: str) -> dict[str, str]:
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client,
        "redirect_uri": callback,
        "code_verifier": VERIFIER,
        "resource": RESOURCE,
    }
    answer = http.post("/token", data=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
