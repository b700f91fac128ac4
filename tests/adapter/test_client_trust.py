"""Whom the client of the sidecar asks, and whom it does not trust."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authz_sidecar.wire.authz_pb2_grpc import add_AuthorizationServiceServicer_to_server
from mcp_adapter.client import SidecarClient
from mcp_adapter.pdp import Item, Unanswered
from tests.adapter.fake_sidecar import ASK, FakeSidecar


async def test_a_directory_where_others_may_write_is_not_trusted(sidecar, run_dir):
    asker = SidecarClient(sidecar.target, timeout=5)
    assert await asker.check("token-alice", Item(method="ping"), **ASK)
    run_dir.chmod(0o770)
    with pytest.raises(Unanswered, match="chmod 700"):
        await asker.check("token-alice", Item(method="ping"), **ASK)
    run_dir.chmod(0o1777)
    with pytest.raises(Unanswered, match="others may write there; use a directory of its own"):
        await asker.check("token-alice", Item(method="ping"), **ASK)
    run_dir.chmod(0o700)
    assert await asker.check("token-alice", Item(method="ping"), **ASK)
    await asker.close()


async def test_a_directory_of_somebody_else_is_not_trusted(sidecar, run_dir, monkeypatch):
    if os.geteuid() == 0:
        os.chown(run_dir, 4242, -1)
    else:  # nobody but root can give a directory away
        monkeypatch.setattr("mcp_adapter.target.geteuid", lambda: 4242)
    asker = SidecarClient(sidecar.target, timeout=5)
    with pytest.raises(Unanswered, match="belongs to user"):
        await asker.check("token-alice", Item(method="ping"), **ASK)
    await asker.close()


async def test_over_tls_the_sidecar_proves_who_it_is(tmp_path, table):
    mine, other = certificate(tmp_path, "mine"), certificate(tmp_path, "other")
    pair = [(mine[1].read_bytes(), mine[0].read_bytes())]
    server = grpc.aio.server()
    add_AuthorizationServiceServicer_to_server(FakeSidecar(tmp_path, table), server)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
    await server.start()
    asker = SidecarClient(f"localhost:{port}", timeout=5, ca=mine[0], cert=mine[0], key=mine[1])
    assert await asker.check("token-alice", Item(method="ping"), **ASK)
    stranger = SidecarClient(f"localhost:{port}", timeout=5, ca=other[0])
    with pytest.raises(Unanswered):
        await stranger.check("token-alice", Item(method="ping"), **ASK)
    await asker.close()
    await stranger.close()
    await server.stop(0)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for localhost; gives its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return cert, secret


async def test_a_directory_that_is_not_there_is_no_answer(tmp_path):
    with pytest.raises(Unanswered, match="No such file"):
        await SidecarClient(f"unix:{tmp_path}/x/authz.sock").check("t", Item(method="ping"), **ASK)


@pytest.mark.parametrize(
    "target", ["", "unix:", "host", ":50051", "host:0", "host:99999", "host:x", "http://x:1", "unix:" + "x" * 120]
)
def test_a_target_that_cannot_be_meant_is_refused(target):
    with pytest.raises(ValueError, match="sidecar"):
        SidecarClient(target)


@pytest.mark.parametrize(
    ("target", "plain"),
    [
        ("127.0.0.1:50051", True),
        ("localhost:50051", True),
        ("[::1]:50051", True),
        ("10.0.0.1:50051", False),
        ("sidecar.example:50051", False),
    ],
)
def test_plain_tcp_is_for_loopback(target, plain):
    assert (SidecarClient(target)._credentials is None) is plain


def test_half_a_key_pair_is_refused(tmp_path):
    with pytest.raises(ValueError, match="belong together"):
        SidecarClient("h:1", cert=tmp_path / "cert.pem")
