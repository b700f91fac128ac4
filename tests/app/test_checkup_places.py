"""The doctor's look at certificates, sockets, directories and the log, with real files."""

import datetime
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from authz_sidecar.app import checkup_places as places
from authz_sidecar.app.finding import Finding
from authz_sidecar.config import Config

NOW = 1_800_000_000.0
DAY = 86_400


def config(base: Path, **sections: Any) -> Config:
    issuer = {"alias": "idp", "issuer": "https://idp.example", "algorithms": ["ES256"], "jwks_file": "jwks.json"}
    servers = [{"name": "ops", "audience": "https://ops.example/mcp"}]
    return Config.model_validate({"issuers": [issuer], "servers": servers} | sections).based(base)


def told(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.health.value, one.sentence) for one in found]


def certificate(
    base: Path, *, begins: float = NOW - DAY, ends: float = NOW + 90 * DAY, other_key: bool = False
) -> Config:
    """Write a certificate with these dates, and its key or another's."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sidecar")])
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(begins, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(ends, datetime.UTC))
        .sign(private, SHA256())
    )
    (base / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    shown = ec.generate_private_key(ec.SECP256R1()) if other_key else private
    key_file = base / "key.pem"
    key_file.write_bytes(shown.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key_file.chmod(0o600)
    listen = {"tcp": "127.0.0.1:0", "tls_cert_file": "cert.pem", "tls_key_file": "key.pem"}
    return config(base, listen=listen)


@pytest.mark.parametrize(
    ("dates", "health", "words"),
    [
        pytest.param({}, "ok", "ends in 90 days", id="valid"),
        pytest.param({"ends": NOW + 10 * DAY}, "warn", "ends in 10 days", id="soon over"),
        pytest.param({"ends": NOW - 3 * DAY, "begins": NOW - 9 * DAY}, "fail", "ended 3 days ago", id="over"),
        pytest.param({"begins": NOW + DAY}, "fail", "begins on 2027-01-16", id="not begun"),
        pytest.param({"other_key": True}, "fail", "is not the key of", id="another's key"),
    ],
)
def test_a_certificate_is_looked_at(tmp_path: Path, dates: dict[str, Any], health: str, words: str) -> None:
    ((found, sentence),) = told(places.certificate(certificate(tmp_path, **dates), NOW))
    assert (found, words in sentence) == (health, True), sentence


def test_a_key_that_others_can_read_deserves_a_look(tmp_path: Path) -> None:
    with_tls = certificate(tmp_path)
    (tmp_path / "key.pem").chmod(0o640)
    assert [one.health for one in places.certificate(with_tls, NOW)] == ["ok", "warn"]


@pytest.mark.parametrize(
    "content", [None, b"", b"no PEM", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_that_cannot_be_read_fails(tmp_path: Path, content: bytes | None) -> None:
    with_tls = certificate(tmp_path)
    (tmp_path / "key.pem").unlink() if content is None else (tmp_path / "key.pem").write_bytes(content)
    assert [one.health for one in places.certificate(with_tls, NOW)] == ["fail"]


def test_without_tls_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert places.certificate(config(tmp_path), NOW) == []


def test_sockets_that_are_not_there_yet_will_be_made(tmp_path: Path) -> None:
    found = places.sockets(config(tmp_path))
    assert [one.about for one in found] == ["socket authz.sock", "socket admin.sock"]
    assert {one.health for one in found} == {"ok"}


@pytest.mark.parametrize(
    ("mode", "health"),
    [pytest.param(0o700, "ok", id="ours alone"), pytest.param(0o755, "fail", id="open to readers"),
     pytest.param(0o770, "fail", id="open to a group")],
)  # fmt: skip
def test_the_directory_of_a_socket_is_looked_at(tmp_path: Path, mode: int, health: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    found = places.sockets(config(tmp_path, listen={"socket": "run/authz.sock"}))
    assert {one.health for one in found} == {health}


def test_a_link_in_place_of_the_directory_fails(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    assert {one.health for one in places.sockets(config(tmp_path, listen={"socket": "run/a.sock"}))} == {"fail"}


def test_a_socket_that_others_may_use_deserves_a_look(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run" / "a.sock").touch(mode=0o600)
    (tmp_path / "run" / "a.sock").chmod(0o666)
    found = places.sockets(config(tmp_path, listen={"socket": "run/a.sock"}))
    assert [one.health for one in found] == ["warn", "ok"]


def test_a_path_that_is_too_long_or_no_directory_fails(tmp_path: Path) -> None:
    assert places.sockets(config(tmp_path, listen={"socket": "s" * 120}))[0].health == "fail"
    (tmp_path / "file").touch()
    assert places.sockets(config(tmp_path, listen={"socket": "file/run/a.sock"}))[0].health == "fail"


@pytest.mark.parametrize(
    ("mode", "health"),
    [pytest.param(None, "ok", id="not there yet"), pytest.param(0o700, "ok", id="ours alone"),
     pytest.param(0o755, "warn", id="open to readers"), pytest.param(0o777, "fail", id="open to writers")],
)  # fmt: skip
def test_the_state_directory_is_looked_at(tmp_path: Path, mode: int | None, health: str) -> None:
    if mode is not None:
        (tmp_path / "var").mkdir()
        (tmp_path / "var").chmod(mode)
    assert [one.health for one in places.state(config(tmp_path))] == [health]


def test_nobody_is_told_to_close_a_directory_that_others_live_in(tmp_path: Path) -> None:
    (tmp_path / "var" / "spool").mkdir(parents=True)
    (tmp_path / "var").chmod(0o755)
    (found,) = places.state(config(tmp_path))
    assert (found.health, "holds `spool`" in found.sentence) == ("fail", True), found
    (one, _) = places.sockets(config(tmp_path, listen={"socket": "var/authz.sock"}, admin={"socket": "var/admin.sock"}))
    assert (one.health, "chmod" in str(one)) == ("fail", False), one


def test_a_state_directory_below_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [one.health for one in places.state(config(tmp_path, state_dir="file/var"))] == ["fail"]


@pytest.mark.parametrize("path", ["", "log", "-"])
def test_the_log_can_be_written(tmp_path: Path, path: str) -> None:
    assert [one.health for one in places.log(config(tmp_path, audit={"path": path}))] == ["ok"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_log_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir(mode=0o500)
    assert [one.health for one in places.log(config(tmp_path, audit={"path": "log"}))] == ["fail"]


def test_a_log_on_what_cannot_be_written_by_anybody_fails() -> None:
    found = places.log(config(Path("/proc"), audit={"path": "nowhere"}))
    assert found[0].health in ("fail", "warn")


@pytest.mark.parametrize(
    ("free", "denies", "health"),
    [
        pytest.param(1 << 40, True, "ok", id="enough"),
        pytest.param(1 << 20, True, "warn", id="little"),
        pytest.param(4096, True, "fail", id="none, and nobody is let through"),
        pytest.param(4096, False, "warn", id="none, and lines are dropped"),
    ],
)
def test_the_room_for_the_log_is_looked_at(tmp_path: Path, free: int, health: str, *, denies: bool) -> None:
    assert places.room(tmp_path / "decisions.jsonl", free, denies=denies).health == health
