"""The sidecar over TLS, with a certificate of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from authz_sidecar.wire import authz_pb2_grpc as rpc
from tests.app.running import House, ask, running


async def test_tls_shows_who_answers(home: House) -> None:
    certificate = _self_signed(home)
    port = home.http_port + 1
    home.configure(
        issuers=home.issuer(development=False),
        listen=f'tcp = "127.0.0.1:{port}"\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"',
    )
    credentials = grpc.ssl_channel_credentials(certificate)
    async with running(home), grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        stub: Any = rpc.AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        assert (await ask(stub, home.token())).allowed


def _self_signed(home: House) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )
    (home.home / "cert.pem").write_bytes(certificate)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (home.home / "key.pem").write_bytes(pem)
    return certificate
