"""Clients that publish their keys at a URL (`jwks_uri`): read when needed, and never on a stranger's demand."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.oauth import clientjwks, documents
from authz_sidecar.oauth.client import Proof
from authz_sidecar.oauth.clientauth import ASSERTION
from authz_sidecar.oauth.clientjwks import Jwks, JwksRefused
from authz_sidecar.oauth.clientkeys import PublishedKeys
from authz_sidecar.oauth.documents import DocumentClients
from tests.oauth.test_assertions import EC, OTHER, PUBLIC, RSA
from tests.oauth.test_documents import SAID, URL
from tests.oauth.test_documents import Web as Pages
from tests.oauth.world import CALLBACK, ISSUER, Time, World, world

KEYS = "https://keys.example/jwks.json"


def _set(*keys: Mapping[str, object]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def _signs(**changes: object) -> bytes:
    said: dict[str, object] = {
        **SAID,
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": KEYS,
    }
    return json.dumps({name: value for name, value in (said | changes).items() if value is not None}).encode()


class Web(Pages):
    """A web with a document of a client and its keys."""

    def __init__(self, keys: bytes = b"", **headers: str) -> None:
        super().__init__(**headers)
        self.pages |= {URL: _signs(), KEYS: keys or _set(PUBLIC)}


def _named(*kids: str) -> Any:
    """Say whether a set has all of these."""
    return lambda keys: {*kids} <= {one.get("kid") for one in keys}


def _kids(found: Jwks) -> Sequence[object]:
    return [one.get("kid") for one in found]


async def _redeems(made: World, *, key: Any = EC, algorithm: str = "ES256", **header: object) -> int:
    said, verifier = await made.authorize(client_id=URL)
    claims = {"iss": URL, "sub": URL, "aud": ISSUER, "exp": made.now() + 60, "jti": said["code"]}
    assertion = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k1"} | header)
    proof = {"client_assertion_type": ASSERTION, "client_assertion": assertion}
    response = await made.redeem(said["code"], verifier, client_id=URL, **proof)
    if response.status_code != 200:
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    return int(response.status_code)


async def test_a_client_signs_with_the_keys_that_its_document_points_to(tmp_path: Path) -> None:
    web, now = Web(), Time()
    found, keys = DocumentClients(fetch=web, clock=now), PublishedKeys(fetch=web, clock=now)
    async with world(tmp_path, documents=found, published=keys) as made:
        for _ in range(3):
            assert await _redeems(made) == 200
        assert made.door.seen[-1].client.proof is Proof.PRIVATE_KEY
        assert web.fetched == [URL, KEYS]
        assert await _redeems(made, key=OTHER) == 401


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({**PUBLIC, "use": "enc"}, id="for encryption"),
        pytest.param({**PUBLIC, "use": 7}, id="for a number"),
        pytest.param({**PUBLIC, "key_ops": ["sign"]}, id="for signing alone"),
        pytest.param({**PUBLIC, "key_ops": "verify"}, id="for a word where a list is due"),
        pytest.param({**PUBLIC, "alg": "ES384"}, id="for another algorithm"),
        pytest.param({**PUBLIC, "kty": "OKP"}, id="of another kind"),
        pytest.param({**PUBLIC, "crv": "P-384"}, id="on another curve"),
        pytest.param({**PUBLIC, "x": "AAAA"}, id="on no curve"),
        pytest.param({**PUBLIC, "d": "AAAA"}, id="with its private half"),
        pytest.param({"kty": "oct", "k": "A" * 43, "kid": "k1"}, id="that is a secret for all to read"),
        pytest.param({**PUBLIC, "kid": "k9"}, id="of another name"),
    ],
)
async def test_a_key_that_is_for_something_else_proves_nothing(tmp_path: Path, key: Mapping[str, object]) -> None:
    web, now = Web(_set(key)), Time()
    found, keys = DocumentClients(fetch=web, clock=now), PublishedKeys(fetch=web, clock=now)
    async with world(tmp_path, documents=found, published=keys) as made:
        assert await _redeems(made) == 401


async def test_two_keys_of_one_name_prove_nothing(tmp_path: Path) -> None:
    web, now = Web(_set(PUBLIC, PUBLIC)), Time()
    found, keys = DocumentClients(fetch=web, clock=now), PublishedKeys(fetch=web, clock=now)
    async with world(tmp_path, documents=found, published=keys) as made:
        assert await _redeems(made) == 401


async def test_a_public_key_is_no_shared_secret(tmp_path: Path) -> None:
    web, now = Web(), Time()
    found, keys = DocumentClients(fetch=web, clock=now), PublishedKeys(fetch=web, clock=now)
    async with world(tmp_path, documents=found, published=keys) as made:
        assert await _redeems(made, key="s" * 40, algorithm="HS256") == 401
        assert await _redeems(made, key=RSA, algorithm="PS256") == 401


async def test_who_publishes_keys_needs_somebody_who_reads_them(tmp_path: Path) -> None:
    async with world(tmp_path, documents=DocumentClients(fetch=Web(), clock=Time())) as made:
        assert await _redeems(made) == 401


async def test_a_new_key_counts_as_soon_as_it_is_used_and_an_old_one_no_more(tmp_path: Path) -> None:
    web, now = Web(**{"cache-control": "max-age=3600"}), Time()
    found, keys = DocumentClients(fetch=web, clock=now), PublishedKeys(fetch=web, clock=now)
    async with world(tmp_path, documents=found, published=keys) as made:
        assert await _redeems(made) == 200
        fresh = {**PUBLIC, "kid": "k2"}
        web.pages[KEYS] = _set(fresh)
        assert await _redeems(made, kid="k2") == 401  # it was looked at a moment ago
        now.now += 31
        assert await _redeems(made, kid="k2") == 200
        assert await _redeems(made, kid="k1") == 401


async def test_unknown_keys_cause_one_fetch_in_the_cool_down() -> None:
    web, now = Web(**{"cache-control": "max-age=86400"}), Time()
    keys = PublishedKeys(fetch=web, clock=now)
    for number in range(20):
        assert _kids(await keys.find(KEYS, fits=_named(f"guess-{number}"))) == ["k1"]
    assert len(web.fetched) == 1
    now.now += 31
    for number in range(20):
        await keys.find(KEYS, fits=_named(f"guess-{number}"))
    assert len(web.fetched) == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="nobody answers"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"keys": []}', id="no keys"),
        pytest.param(b'{"keys": [{}], "keys": [{}]}', id="two readings"),
        pytest.param(_set(PUBLIC, {**PUBLIC, "kid": "k2", "d": "x"}), id="a private key"),
    ],
)
async def test_keys_go_on_for_an_hour_when_their_page_is_wrong(body: bytes | None) -> None:
    web, now = Web(), Time()
    keys = PublishedKeys(fetch=web, clock=now)
    assert _kids(await keys.find(KEYS, fits=_named("k1"))) == ["k1"]
    web.pages.pop(KEYS)
    if body is not None:
        web.pages[KEYS] = body
    now.now += 100
    for _ in range(5):
        assert _kids(await keys.find(KEYS, fits=_named("k1"))) == ["k1"]
    assert len(web.fetched) == 2
    now.now += 3_600
    assert await keys.find(KEYS, fits=_named("k1")) == ()
    web.pages[KEYS] = _set(PUBLIC)
    now.now += 31
    assert _kids(await keys.find(KEYS, fits=_named("k1"))) == ["k1"]


async def test_many_who_need_one_page_at_once_make_one_fetch() -> None:
    web = Web()
    web.gate = asyncio.Event()
    keys = PublishedKeys(fetch=web, clock=Time())
    asking = [asyncio.create_task(keys.find(KEYS, fits=_named("k1"))) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    web.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [len(one) for one in found[1:] if not isinstance(one, BaseException)] == [1] * 19
    assert web.fetched == [KEYS]


async def test_nobody_makes_us_fetch_keys_without_end() -> None:
    web, now = Web(), Time()
    keys = PublishedKeys(fetch=web, clock=now, per_minute=3)
    for number in range(5):
        assert await keys.find(f"{KEYS}?{number}", fits=_named("k1")) == ()
    assert await keys.find(KEYS, fits=_named("k1")) == ()
    assert len(web.fetched) == 3
    now.now += 61
    assert _kids(await keys.find(KEYS, fits=_named("k1"))) == ["k1"]


async def test_not_more_pages_are_kept_than_there_is_room() -> None:
    keys = PublishedKeys(fetch=Web(), clock=Time(), per_minute=2_000)
    for number in range(1_001):
        await keys.find(f"{KEYS}?{number}", fits=_named("k1"))
    assert len(keys._kept) == 1_000


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"jwks_uri": "http://keys.example/jwks"}, "no https URL", id="without TLS"),
        pytest.param({"jwks_uri": 7}, "no https URL", id="a number"),
        pytest.param({"jwks_uri": "https://u@keys.example/jwks"}, "has a user", id="with a user"),
        pytest.param({"jwks_uri": "https://keys.example\\@evil.example/j"}, "backslash", id="with a backslash"),
        pytest.param({"jwks_uri": "https://keys.example:x/j"}, "no URL", id="with a port that is none"),
        pytest.param({"jwks_uri": f"{KEYS}?{'x' * 2_048}"}, "too long", id="too long"),
        pytest.param({"jwks_uri": None}, "either `jwks` or `jwks_uri`", id="nowhere"),
        pytest.param({"jwks": {"keys": [PUBLIC]}}, "either `jwks` or `jwks_uri`", id="at two places"),
        pytest.param({"jwks_uri": None, "jwks": {"keys": []}}, "`jwks` is no JWKS", id="without keys"),
        pytest.param({"jwks_uri": None, "jwks": {"keys": [{"k": "x"}]}}, "private key", id="with a secret"),
    ],
)
def test_a_document_with_its_keys_at_a_wrong_place_is_no_client(changes: Mapping[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        documents.read(URL, _signs(**changes))


def test_keys_lie_on_hosts_that_the_operator_listed() -> None:
    listed = frozenset({"client.example", "keys.example"})
    assert documents.read(URL, _signs(), hosts=listed).jwks_uri == KEYS
    with pytest.raises(ValueError, match="not one that the operator listed"):
        documents.read(URL, _signs(), hosts=frozenset({"client.example"}))


@given(st.binary(max_size=300))
def test_any_bytes_are_keys_or_refused(body: bytes) -> None:
    with pytest.raises(JwksRefused):
        clientjwks.parse(body)


@pytest.mark.parametrize("said", [{"jwks_uri": KEYS}, {"jwks": {"keys": [PUBLIC]}}])
@pytest.mark.parametrize("proof", ["private_key_jwt", "none"])
async def test_a_client_that_registers_itself_brings_no_keys(server: World, said: object, proof: str) -> None:
    assert isinstance(said, dict)
    body = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": proof} | said
    response = await server.http.post("/register", json=body)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")
