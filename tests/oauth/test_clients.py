"""Clients that we did not write, against a real listener: Authlib's, oauthlib's, and the MCP SDK's own of a robot."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from oauthlib.oauth2 import BackendApplicationClient, WebApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError
from requests_oauthlib import OAuth2Session

from authz_sidecar.oauth.client import Proof
from tests.oauth.test_assertions import PUBLIC_RSA, RSA
from tests.oauth.world import CALLBACK, SECRET, TICKETS, World, confidential, world


class Running:
    """A server in a thread, with a browser that is alice."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.token = f"{base}/token"
        self.authorize = f"{base}/authorize"

    def browse(self, url: str) -> str:
        """Follow an authorization URL, and give where it leads."""
        import requests

        response = requests.get(url, allow_redirects=False, timeout=10)
        assert response.status_code == 303, response.text
        return response.headers["location"]


async def _clients(made: World) -> None:
    await made.add()
    await made.add(id="web", **confidential())
    await made.add(id="robot", grant_types=frozenset({"client_credentials"}), **confidential())
    await made.add(
        id="signer", proof=Proof.PRIVATE_KEY, jwks=(PUBLIC_RSA,), grant_types=frozenset({"client_credentials"})
    )


@contextmanager
def running(directory: Path) -> Iterator[Running]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready, stop = threading.Event(), threading.Event()

        async def run() -> None:
            async with world(directory, issuer=base) as made:
                import time

                made.now.now = time.time()
                await _clients(made)
                app = made.core.application(made.door)
                server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
                server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
                serving = asyncio.create_task(server.serve([listener]))
                ready.set()
                await asyncio.to_thread(stop.wait, 50)
                server.should_exit = True
                await serving

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        try:
            assert ready.wait(10)
            yield Running(base)
        finally:
            stop.set()
            thread.join(10)


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    with running(tmp_path) as found:
        yield found


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_logs_in_refreshes_and_revokes(place: Running, method: str) -> None:
    from authlib.common.security import generate_token

    verifier = generate_token(48)
    session = AuthlibSession(
        "web",
        SECRET,
        redirect_uri=CALLBACK,
        scope="tickets:read",
        code_challenge_method="S256",
        token_endpoint_auth_method=method,
    )
    url, state = session.create_authorization_url(place.authorize, code_verifier=verifier, resource=TICKETS)
    token = session.fetch_token(
        place.token, authorization_response=place.browse(url), state=state, code_verifier=verifier, timeout=10
    )
    assert token["scope"] == "tickets:read"
    again = session.refresh_token(place.token, refresh_token=token["refresh_token"], timeout=10)
    assert again["refresh_token"] != token["refresh_token"]
    assert session.revoke_token(f"{place.base}/revoke", again["refresh_token"], timeout=10).status_code == 200
    from authlib.integrations.base_client.errors import OAuthError

    with pytest.raises(OAuthError, match="invalid_grant"):
        session.refresh_token(place.token, refresh_token=again["refresh_token"], timeout=10)


def test_authlib_signs_for_itself(place: Running) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    session = AuthlibSession("signer", pem, token_endpoint_auth_method="private_key_jwt")
    session.register_client_auth_method(PrivateKeyJWT(place.token, headers={"kid": "k2"}, alg="PS256"))
    token = session.fetch_token(place.token, grant_type="client_credentials", resource=TICKETS, timeout=10)
    assert token["token_type"] == "Bearer"


def test_oauthlib_logs_in_and_refreshes(place: Running) -> None:
    client = WebApplicationClient("app")
    verifier = client.create_code_verifier(64)
    challenge = client.create_code_challenge(verifier, "S256")
    session = OAuth2Session(client=client, redirect_uri=CALLBACK, scope=["tickets:read"])
    url, _ = session.authorization_url(
        place.authorize, code_challenge=challenge, code_challenge_method="S256", resource=TICKETS
    )
    token = session.fetch_token(
        place.token,
        authorization_response=place.browse(url),
        code_verifier=verifier,
        include_client_id=True,
        timeout=10,
    )
    assert token["scope"] == ["tickets:read"]
    first = token["refresh_token"]
    session.refresh_token(place.token, refresh_token=first, client_id="app", timeout=10)
    with pytest.raises(InvalidGrantError):
        session.refresh_token(place.token, refresh_token=first, client_id="app", timeout=10)


def test_oauthlib_acts_for_itself(place: Running) -> None:
    session = OAuth2Session(client=BackendApplicationClient("robot"))
    token = session.fetch_token(
        place.token, client_id="robot", client_secret=SECRET, timeout=10, body=urlencode({"resource": TICKETS})
    )
    assert token["expires_in"] == 600
