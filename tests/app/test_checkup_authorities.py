"""The doctor's look at the files of authorities, with real certificates."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from authz_sidecar.app.checkup_authorities import authorities, look
from authz_sidecar.app.checkup_issuers import look as look_at_issuer
from authz_sidecar.app.finding import Finding
from authz_sidecar.config import Config

NOW = 1_800_000_000.0
DAY = 86_400


def pem(days: float) -> bytes:
    """Give the certificate of an authority that ends so many days from now."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    ends = datetime.datetime.fromtimestamp(NOW + days * DAY, datetime.UTC)
    begins = datetime.datetime.fromtimestamp(NOW - 100 * DAY, datetime.UTC)
    made = x509.CertificateBuilder(name, name, private.public_key(), 1, begins, ends).sign(private, SHA256())
    return made.public_bytes(Encoding.PEM)


def told(found: list[Finding], where: Path) -> list[tuple[str, str]]:
    return [(one.health.value, one.sentence.replace(f"{where}/", "")) for one in found]


@pytest.mark.parametrize(
    ("days", "health", "sentence"),
    [
        pytest.param([90], "ok", "the authority in ca.pem ends in 90 days", id="long to go"),
        pytest.param([3], "warn", "the authority in ca.pem ends in 3 days", id="soon over"),
        pytest.param([-2], "fail", "the authority in ca.pem has ended, the last one 2 days ago", id="over"),
        pytest.param([90, 3], "warn", "the next of 2 authorities in ca.pem ends in 3 days", id="one of two soon over"),
        pytest.param(
            [-7, 90],
            "ok",
            "the next of 1 authorities in ca.pem ends in 90 days; 1 more have ended",
            id="one of two over",
        ),
        pytest.param(
            [-7, -2], "fail", "each of the 2 authorities in ca.pem has ended, the last one 2 days ago", id="both over"
        ),
    ],
)
def test_the_end_of_an_authority_is_told(tmp_path: Path, days: list[int], health: str, sentence: str) -> None:
    (tmp_path / "ca.pem").write_bytes(b"# whose they are\n" + b"\n".join(map(pem, days)))
    found = look("tls", tmp_path / "ca.pem", NOW)
    assert told(found, tmp_path) == [(health, sentence)]
    assert bool(found[0].advice) is (health != "ok")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "No such file", id="not there"),
        pytest.param(b"no certificate", "holds no certificate in PEM", id="none"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "in PEM", id="broken"),
    ],
)
def test_a_file_that_is_none_fails(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    ((health, sentence),) = told(look("tls", tmp_path / "ca.pem", NOW), tmp_path)
    assert (health, words in sentence) == ("fail", True), sentence


def config(base: Path, **sections: Any) -> Config:
    issuer = {"alias": "idp", "issuer": "https://idp.example", "algorithms": ["ES256"], "jwks_file": "jwks.json"}
    servers = [{"name": "ops", "audience": "https://ops.example/mcp"}]
    return Config.model_validate({"issuers": [issuer], "servers": servers} | sections).based(base)


def test_each_file_of_the_configuration_is_looked_at(tmp_path: Path) -> None:
    for name, days in (("callers", 90), ("redis", 3), ("login", -2)):
        (tmp_path / f"{name}.pem").write_bytes(pem(days))
    listen = {"tcp": "127.0.0.1:0", "tls_cert_file": "c.pem", "tls_key_file": "k.pem", "client_ca_file": "callers.pem"}
    revocation = {"redis": "rediss://redis.example:6379", "redis_ca_file": "redis.pem"}
    oauth = {"issuer": "https://login.example", "ca_file": "login.pem"}
    found = authorities(config(tmp_path, listen=listen, revocation=revocation, oauth=oauth), NOW)
    assert [(one.about, one.health.value) for one in found] == [
        ("tls", "ok"),
        ("revocation", "warn"),
        ("oauth", "fail"),
    ]
    assert authorities(config(tmp_path), NOW) == []


async def test_the_authority_of_an_issuer_stands_with_it_also_when_nobody_answers_there(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(pem(3))
    common = {"alias": "idp", "issuer": "https://idp.example", "ca_file": "ca.pem"}
    by_keys = common | {"algorithms": ["ES256"], "jwks_uri": "https://127.0.0.1:1/jwks"}
    by_asking = common | {
        "introspection_uri": "https://127.0.0.1:1/introspect",
        "introspection_client_id": "sidecar",
        "introspection_secret_file": "client",
    }
    for issuer in (by_keys, by_asking):
        made = config(tmp_path, issuers=[issuer])
        found = await look_at_issuer(made, made.issuers[0], lambda: NOW)
        assert ("warn", "the authority in ca.pem ends in 3 days") in told(found, tmp_path)
