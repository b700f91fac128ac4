"""Clients whose id is the URL of a document about them."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import documents
from authz_sidecar.oauth.client import Origin, Proof
from authz_sidecar.oauth.documents import DocumentClients, DocumentUnavailable, Fetched
from tests.oauth.world import Time, world

URL = "https://client.example/meta.json"
SAID: Mapping[str, object] = {
    "client_id": URL,
    "client_name": "Inspector",
    "client_uri": "https://client.example",
    "redirect_uris": ["http://127.0.0.1/callback", "http://localhost:3000/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
}


class Web:
    """A web with documents, that counts who looks."""

    def __init__(self, **headers: str) -> None:
        self.pages: dict[str, bytes] = {URL: json.dumps(SAID).encode()}
        self.headers = headers
        self.fetched: list[str] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, url: str) -> Fetched:
        self.fetched.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if url not in self.pages:
            raise DocumentUnavailable("the host has the address 127.0.0.1, which is loopback")
        return Fetched(headers=self.headers, body=self.pages[url])


async def test_a_client_is_what_its_document_says(tmp_path: Path) -> None:
    async with world(tmp_path, documents=DocumentClients(fetch=Web(), clock=Time())) as made:
        redirect = "http://127.0.0.1:54321/callback"
        said, verifier = await made.authorize(client_id=URL, redirect_uri=redirect)
        response = await made.redeem(said["code"], verifier, client_id=URL, redirect_uri=redirect)
        assert response.status_code == 200
        seen = made.door.seen[-1].client
        assert (seen.origin, seen.title, seen.proof) == (Origin.DOCUMENT, "Inspector", Proof.NONE)
        again = await made.refresh(response.json()["refresh_token"], client_id=URL)
        assert made.claims(again.json()["access_token"])["client_id"] == URL


async def test_a_client_signs_with_the_keys_of_its_document() -> None:
    key = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}
    said = {**SAID, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}}
    client = documents.read(URL, json.dumps(said).encode())
    assert (client.proof, client.jwks) == (Proof.PRIVATE_KEY, (key,))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_id": f"{URL}2"}, id="about another"),
        pytest.param({"client_id": URL.upper()}, id="about itself in another spelling"),
        pytest.param({"client_id": None}, id="about nobody"),
        pytest.param({"client_secret": "x"}, id="with a secret that everybody can read"),
        pytest.param({"token_endpoint_auth_method": "client_secret_basic"}, id="with a shared secret"),
        pytest.param({"token_endpoint_auth_method": "private_key_jwt"}, id="without its keys"),
        pytest.param({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [1]}}, id="with no keys"),
        pytest.param({"redirect_uris": ["javascript:alert(1)"]}, id="with a script to go to"),
        pytest.param({"redirect_uris": None}, id="with nowhere to go to"),
        pytest.param({"client_name": "x" * 101}, id="with a name without end"),
        pytest.param({"client_name": ["x"]}, id="with a name that is a list"),
        pytest.param({"grant_types": ["implicit"]}, id="for another flow"),
    ],
)
async def test_a_wrong_document_is_no_client(changes: Mapping[str, object]) -> None:
    web = Web()
    web.pages[URL] = json.dumps({**SAID, **changes}).encode()
    assert await DocumentClients(fetch=web, clock=Time()).find(URL) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"{}" + b" " * 70_000])
async def test_what_is_no_document_is_no_client(body: bytes) -> None:
    web = Web()
    web.pages[URL] = body
    assert await DocumentClients(fetch=web, clock=Time()).find(URL) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_client_or_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        documents.read(URL, body)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://client.example", id="no path"),
        pytest.param("https://client.example/", id="an empty path"),
        pytest.param("https://u@client.example/d", id="a user"),
        pytest.param("https://client.example/d#x", id="a fragment"),
        pytest.param("https://client.example/a/../d", id="dot segments"),
        pytest.param("https://client.example/a/%2e%2E/d", id="dot segments in disguise"),
        pytest.param("https://client.example\\@evil.example/d", id="a backslash"),
        pytest.param("https://client.example/d d", id="a space"),
        pytest.param("https://client.example/dé", id="a letter beyond ASCII"),
        pytest.param("https://client.example:x/d", id="a port that is none"),
        pytest.param("https://client.example/" + "d" * 2_048, id="too long"),
    ],
)
async def test_what_can_be_no_client_id_is_never_fetched(url: str) -> None:
    web = Web()
    web.pages[url] = json.dumps({**SAID, "client_id": url}).encode()
    assert await DocumentClients(fetch=web, clock=Time()).find(url) is None
    assert web.fetched == []


async def test_only_the_hosts_that_the_operator_listed_are_asked() -> None:
    web = Web()
    listed = DocumentClients(fetch=web, clock=Time(), hosts=frozenset({"client.example"}))
    assert await listed.find(URL) is not None
    assert await DocumentClients(fetch=web, clock=Time(), hosts=frozenset({"other.example"})).find(URL) is None
    assert web.fetched == [URL]


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("max-age=600", 600),
        ("public, max-age=7200, immutable", 7200),
        ("max-age=1", 60),
        ("max-age=99999999", 86_400),
        ("no-store, max-age=600", 60),
        ("", 60),
        ("s-maxage=600", 60),
    ],
)
async def test_a_document_is_kept_for_as_long_as_its_server_says(control: str, seconds: float) -> None:
    web, now = Web(**{"cache-control": control}), Time()
    clients = DocumentClients(fetch=web, clock=now)
    await clients.find(URL)
    now.now += seconds - 1
    await clients.find(URL)
    assert len(web.fetched) == 1
    now.now += 2
    await clients.find(URL)
    assert len(web.fetched) == 2


async def test_a_wrong_document_is_not_fetched_at_once_again() -> None:
    web, now = Web(), Time()
    clients = DocumentClients(fetch=web, clock=now)
    for _ in range(5):
        assert await clients.find(f"{URL}?missing") is None
    assert len(web.fetched) == 1
    now.now += 31
    web.pages[f"{URL}?missing"] = json.dumps({**SAID, "client_id": f"{URL}?missing"}).encode()
    assert await clients.find(f"{URL}?missing") is not None


async def test_many_who_ask_at_once_make_one_fetch() -> None:
    web = Web()
    web.gate = asyncio.Event()
    clients = DocumentClients(fetch=web, clock=Time())
    asking = [asyncio.create_task(clients.find(URL)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    web.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert {getattr(one, "id", None) for one in found[1:]} == {URL}
    assert web.fetched == [URL]


async def test_nobody_makes_us_call_others_without_end() -> None:
    web, now = Web(), Time()
    clients = DocumentClients(fetch=web, clock=now, per_minute=3)
    for number in range(5):
        await clients.find(f"{URL}?{number}")
    assert await clients.find(URL) is None
    assert len(web.fetched) == 3
    now.now += 61
    assert await clients.find(URL) is not None


async def test_not_more_documents_are_kept_than_there_is_room() -> None:
    web, now = Web(), Time()
    clients = DocumentClients(fetch=web, clock=now, per_minute=2_000)
    for number in range(1_001):
        await clients.find(f"{URL}?{number}")
    assert len(clients._kept) == 1_000


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/meta.json",
        "https://localhost/meta.json",
        "https://[::1]/meta.json",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/meta.json",
    ],
)
async def test_a_document_that_points_inward_is_never_read(url: str, tmp_path: Path) -> None:
    from authz_sidecar.app.authparts import Outside

    config = Config.model_validate(
        {
            "issuers": [
                {"alias": "own", "issuer": "https://as.example", "jwks_file": "j.json", "algorithms": ["ES256"]}
            ],
            "servers": [{"name": "ops", "audience": "https://ops.example/mcp"}],
            "oauth": {"issuer": "https://as.example"},
        }
    ).based(tmp_path)
    outside = Outside(config)
    try:
        with pytest.raises(DocumentUnavailable, match=r"may not be called|is not"):
            await outside._document(url)
        found = outside.documents()
        assert found is not None
        assert await found.find(url) is None
        assert await outside.published().find(url, fits=bool) == ()
    finally:
        await outside.close()


async def test_neither_a_flood_nor_a_bad_minute_ends_a_client() -> None:
    web, now = Web(), Time()
    clients = DocumentClients(fetch=web, clock=now, per_minute=2)
    first = await clients.find(URL)
    assert first is not None
    page = web.pages.pop(URL)
    now.now += 100
    assert await clients.find(URL) == first  # its server does not answer
    await clients.find("https://flood.example/1")
    assert await clients.find(URL) == first  # nobody is asked any more this minute
    now.now += 4_000
    assert await clients.find(URL) is None
    web.pages[URL] = page
    now.now += 100
    assert await clients.find(URL) == first
    web.pages[URL] = b"{}"
    now.now += 100
    assert await clients.find(URL) is None  # what it says now is wrong, so it counts no more


async def test_the_operator_shuts_a_document_out_and_lets_it_in_again(tmp_path: Path) -> None:
    async with world(tmp_path, documents=DocumentClients(fetch=Web(), clock=Time())) as made:
        registry = made.core.registry
        assert await registry.disable(URL)
        assert await registry.find(URL) is None
        assert [(one.id, disabled) for one, disabled in await registry.list()] == [(URL, True)]
        assert await registry.disable(URL)
        assert await registry.disable(URL, disabled=False)
        assert await registry.find(URL) is not None
        assert not await registry.disable("https://other.example/c", disabled=False)
        assert not await registry.disable("https://other.example/\0")
        with pytest.raises(ConfigError, match="client_document_hosts"):
            await registry.disable("https://other.example/" + "c" * 255)
