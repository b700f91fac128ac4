"""Which addresses are taken, and TLS."""

import datetime
import ipaddress
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authz_sidecar.errors import ConfigError
from authz_sidecar.server.listen import Tcp, Tls, bind_unix
from authz_sidecar.server.unixsocket import UnixSocket
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceStub
from tests.server.fakes import running


@pytest.fixture
def pair(tmp_path: Path) -> Tls:
    """A certificate for 127.0.0.1 that signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Tls(cert_file=tmp_path / "cert.pem", key_file=tmp_path / "key.pem")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "127.0.0.1.example", ""])  # noqa: S104
def test_an_address_that_a_network_can_reach_needs_tls(host: str, pair: Tls) -> None:
    with pytest.raises(ConfigError, match="without TLS"):
        Tcp(host=host, port=1)
    Tcp(host=host, port=1, tls=pair)


@pytest.mark.parametrize(
    ("host", "spelled"), [("127.0.0.1", "127.0.0.1:5"), ("localhost", "127.0.0.1:5"), ("::1", "[::1]:5")]
)
def test_loopback_addresses_are_spelled_as_numbers(host: str, spelled: str) -> None:
    assert str(Tcp(host=host, port=5)) == spelled


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        Tcp(host="127.0.0.1", port=port)


async def test_tls_is_spoken_and_plain_text_is_not(short: Path, pair: Tls) -> None:
    async with running(short, socket=None, tcp=Tcp(host="127.0.0.1", port=0, tls=pair)) as it:
        secure = grpc.aio.secure_channel(it.targets[0], grpc.ssl_channel_credentials(pair.cert_file.read_bytes()))
        async with secure:
            assert (await AuthorizationServiceStub(secure).Check(pb.CheckRequest(tool="ok"), timeout=5)).allowed
        with pytest.raises(grpc.aio.AioRpcError):
            await AuthorizationServiceStub(it.channel).Check(pb.CheckRequest(tool="ok"), timeout=5)


async def test_with_a_client_authority_only_callers_with_a_certificate_are_heard(short: Path, pair: Tls) -> None:
    mutual = Tls(cert_file=pair.cert_file, key_file=pair.key_file, client_ca_file=pair.cert_file)
    root, key = pair.cert_file.read_bytes(), pair.key_file.read_bytes()
    async with running(short, socket=None, tcp=Tcp(host="127.0.0.1", port=0, tls=mutual)) as it:
        for proof, heard in (
            (grpc.ssl_channel_credentials(root), False),
            (grpc.ssl_channel_credentials(root, key, root), True),
        ):
            async with grpc.aio.secure_channel(it.targets[0], proof) as channel:
                call = AuthorizationServiceStub(channel).Check(pb.CheckRequest(tool="ok"), timeout=5)
                if heard:
                    assert (await call).allowed
                else:
                    with pytest.raises(grpc.aio.AioRpcError):
                        await call


def test_a_certificate_that_cannot_be_read_is_named(pair: Tls) -> None:
    with pytest.raises(ConfigError, match=r"cannot read `.*none.pem`: No such file"):
        Tls(cert_file=pair.cert_file.with_name("none.pem"), key_file=pair.key_file).credentials()


async def test_a_socket_that_cannot_be_made_is_an_error_of_the_operator(short: Path) -> None:
    taken = UnixSocket.take(short / "run" / "s")
    (short / "run" / "s").mkdir()
    server = grpc.aio.server()
    with pytest.raises(ConfigError, match="cannot be made"):
        bind_unix(server, taken)
    (short / "run" / "s").rmdir()
    taken.release()
    await server.stop(0)
