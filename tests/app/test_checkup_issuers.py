"""The doctor's look at issuers: reached or not, keys and their age, clocks; with a provider on loopback."""

import datetime
import ipaddress
import json
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.app.checkup_issuers import _moment, look
from authz_sidecar.app.finding import Finding
from authz_sidecar.config import Config
from authz_sidecar.tokens import mint
from authz_sidecar.tokens.pages import Page
from tests.tokens.makers import DROP, key
from tests.tokens.provider import Provider, provider


def config(base: Path, **issuer: Any) -> Config:
    usual = {"alias": "idp", "issuer": "https://idp.example", "algorithms": ["ES256"]}
    given = {name: value for name, value in (usual | issuer).items() if value is not DROP}
    servers = [{"name": "ops", "audience": "https://ops.example/mcp"}]
    return Config.model_validate({"issuers": [given], "servers": servers}).based(base)


async def seen(base: Path, clock: Callable[[], float] = time.time, **issuer: Any) -> list[Finding]:
    found = config(base, **issuer)
    return await look(found, found.issuers[0], clock)


def healths(found: list[Finding]) -> list[str]:
    return [one.health.value for one in found]


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps({"keys": records}))


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(mint.public_jwks([key("ES256"), key("RS256")])))
    return path


async def test_a_file_is_told_with_its_keys_and_age(tmp_path: Path, jwks: Path) -> None:
    (found,) = await seen(tmp_path, jwks_file="jwks.json")
    assert found.health == "ok"
    assert "2 keys (ES256, RSA 2048 bits)" in found.sentence
    assert "changed 0 days ago" in found.sentence


async def test_an_old_file_deserves_a_look(tmp_path: Path, jwks: Path) -> None:
    in_two_years = time.time() + 400 * 86_400
    assert healths(await seen(tmp_path, clock=lambda: in_two_years, jwks_file="jwks.json")) == ["ok", "warn"]


async def test_a_file_that_cannot_be_read_fails(tmp_path: Path) -> None:
    (found,) = await seen(tmp_path, jwks_file="none.json")
    assert found.health == "fail"
    assert found.advice


async def test_development_and_strange_keys_are_told(tmp_path: Path, jwks: Path) -> None:
    records = mint.public_jwks([key("ES256") | {"authz_development": True}, key("EdDSA")])["keys"]
    del records[1]["kid"]
    records.append({"kty": "EC", "crv": "secp256k1", "kid": "other", "x": "AA", "y": "AA"})
    write(jwks, records)
    found = await seen(tmp_path, jwks_file="jwks.json")
    assert healths(found) == ["ok", "warn", "warn", "warn"]
    words = ("left aside", "development", "`kid`")
    assert all(word in one.sentence for word, one in zip(words, found[1:], strict=True))


async def test_a_secret_that_others_can_read_fails(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * 48)
    path.chmod(0o600)
    private = await seen(tmp_path, algorithms=["HS256"], secret_file="secret")
    assert healths(private) == ["ok"]
    assert "secret of 384 bits" in private[0].sentence
    path.chmod(0o644)
    assert healths(await seen(tmp_path, algorithms=["HS256"], secret_file="secret")) == ["ok", "fail"]


async def test_an_issuer_that_is_asked_has_no_keys_to_look_at(tmp_path: Path) -> None:
    (tmp_path / "client").write_text("a-client-secret")
    asked = {
        "algorithms": DROP,
        "introspection_uri": "https://idp.example/introspect",
        "introspection_client_id": "sidecar",
        "introspection_secret_file": "client",
    }
    (found,) = await seen(tmp_path, **asked)
    assert (found.health, "asked about" in found.sentence) == ("ok", True)


async def test_remarks_of_a_preset_are_told(tmp_path: Path, jwks: Path) -> None:
    tenant = "8d5b6c1a-3f7e-4b0e-9c59-0d2f6a7e4b11"
    entra = {"preset": "entra", "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0", "algorithms": ["ES256"]}
    found = await seen(tmp_path, jwks_file="jwks.json", user_claim="upn", **entra)
    assert [one.health for one in found if "upn" in one.sentence] == ["warn"]


async def fetched(on: Provider, base: Path, *, ahead: float = 0.0, **headers: str) -> list[Finding]:
    """Look at a provider whose answers say a time, while our clock is ahead of it."""
    said = {"date": formatdate(1_800_000_000, usegmt=True)} | headers
    on.jwks(key("ES256"), **said)
    return await seen(base, clock=lambda: 1_800_000_000 + ahead, jwks_uri=f"{on.url}/jwks")


@pytest.mark.parametrize(
    ("ahead", "health", "words"),
    [
        pytest.param(0.5, "ok", "agrees", id="agree"),
        pytest.param(-4.0, "ok", "agrees", id="differ by less than what the header can say"),
        pytest.param(20.0, "warn", "20 s ahead of", id="differ within the leeway"),
        pytest.param(-20.0, "warn", "20 s behind", id="behind within the leeway"),
        pytest.param(100.0, "fail", "100 s ahead of", id="differ beyond the leeway"),
        pytest.param(-4_000.0, "fail", "4000 s behind", id="an hour behind"),
    ],
)
async def test_clocks_are_compared(tmp_path: Path, ahead: float, health: str, words: str) -> None:
    async with provider() as on:
        found = await fetched(on, tmp_path, ahead=ahead)
    assert [found[0].health, found[-1].health] == ["ok", health]
    assert words in found[-1].sentence


async def test_the_age_of_a_cached_answer_counts(tmp_path: Path) -> None:
    async with provider() as on:
        assert "agrees" in (await fetched(on, tmp_path, ahead=600, age="600"))[-1].sentence


async def test_a_provider_that_does_not_say_the_time_is_still_reached(tmp_path: Path) -> None:
    async with provider() as on:
        assert healths(await fetched(on, tmp_path, date="yesterday")) == ["ok"]


def shown(path: Path, *, days: int) -> ssl.SSLContext:
    """Write a certificate for loopback that ends in so many days, and give what shows it."""
    private = ec.generate_private_key(ec.SECP256R1())
    today = datetime.datetime.now(datetime.UTC)
    begins, ends = today - datetime.timedelta(days=30), today + datetime.timedelta(days=days, hours=1)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(x509.Name([]), x509.Name([]), private.public_key(), 1, begins, ends)
        .add_extension(names, critical=True)
        .sign(private, SHA256())
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize(
    ("days", "health", "words"),
    [
        pytest.param(60, "ok", "its certificate ends in 60 days", id="long to go"),
        pytest.param(3, "warn", "its certificate ends in 3 days", id="soon over"),
        pytest.param(-2, "fail", "expired", id="over"),
    ],
)
async def test_the_certificate_of_a_provider_is_looked_at(tmp_path: Path, days: int, health: str, words: str) -> None:
    async with provider(shown(tmp_path / "idp.pem", days=days)) as on:
        on.jwks(key("ES256"))
        found = await seen(tmp_path, jwks_uri=f"https://127.0.0.1:{on.port}/jwks", ca_file="idp.pem")
    told = [one for one in found if "certificate" in one.sentence and "idp.pem" not in one.sentence]
    assert [(one.health, words in one.sentence) for one in told] == [(health, True)]
    assert [one.health for one in found if "the authority in " in one.sentence] == [health]  # it vouches for itself


async def test_a_provider_that_fails_is_told_with_what_to_do(tmp_path: Path) -> None:
    async with provider() as on:
        found = await seen(tmp_path, jwks_uri=f"{on.url}/nowhere")
    assert (found[0].health, "404" in found[0].sentence) == ("fail", True)
    assert "proxy" in found[0].advice


async def test_a_ca_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    (found,) = await seen(tmp_path, jwks_uri="https://127.0.0.1:1/jwks", ca_file="ca.pem")
    assert (found.health, "ca.pem" in found.sentence) == ("fail", True)


@given(st.dictionaries(st.sampled_from(["date", "age"]), st.text(max_size=40)))
def test_any_headers_say_a_time_or_none(headers: dict[str, str]) -> None:
    found = _moment(Page(status=200, headers=headers))
    assert found is None or isinstance(found, float)
