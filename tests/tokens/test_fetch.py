"""Fetching: bounds, refusals, and that a foreign URL is called at the checked address alone."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens.fetch import Web
from authz_sidecar.tokens.guard import Guard
from authz_sidecar.tokens.pages import FetchFailed, Outcome
from authz_sidecar.tokens.urls import Url, parse
from tests.tokens.provider import Answer, Request, provider

NAME = "keys.example"


@cache
def certificate() -> bytes:
    """A key and its own certificate for keys.example, in PEM."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    day = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    ends = day + datetime.timedelta(days=2)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day - datetime.timedelta(days=1), ends)
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = builder.sign(private, SHA256()).public_bytes(Encoding.PEM)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "idp.pem"
    path.write_bytes(certificate())
    return path


def tls(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


class Sent(Guard):
    """A guard that has checked everything already: tests may call nothing but loopback."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self._found = addresses

    async def addresses(self, url: Url) -> tuple[str, ...]:
        assert url.origin.host == NAME
        return self._found


async def failure(web: Web, url: str, *, foreign: bool = False, etag: str = "") -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await web.get(parse(url), foreign=foreign, etag=etag)
    await web.close()
    return caught.value


def web(seconds: float = 5.0) -> Web:
    return Web(guard=Guard(), seconds=seconds)


async def test_a_page_is_fetched_and_nothing_compressed_is_asked_for() -> None:
    async with provider() as idp:
        idp.pages["/jwks?a=b"] = Answer(
            body=b'{"keys": []}', headers={"content-type": "application/jwk-set+json", "ETag": "x"}
        )
        fetching = web()
        page = await fetching.get(parse(idp.url + "/jwks?a=b"))
        await fetching.close()
    assert (page.status, page.body, page.headers["etag"]) == (200, b'{"keys": []}', "x")
    assert idp.asked[0].headers["accept-encoding"] == "identity"
    assert "if-none-match" not in idp.asked[0].headers


async def test_an_etag_may_be_answered_by_304() -> None:
    def page(request: Request) -> Answer:
        return Answer(304 if request.headers.get("if-none-match") == '"1"' else 200)

    async with provider() as idp:
        idp.pages["/jwks"] = page
        fetching = web()
        assert (await fetching.get(parse(idp.url + "/jwks"), etag='"1"')).status == 304
        assert (await fetching.get(parse(idp.url + "/jwks"), etag='"2"')).status == 200
        await fetching.close()


HTML = {"content-type": "text/html"}
ZIPPED = {"content-type": "application/json", "content-encoding": "gzip"}


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        pytest.param(Answer(302, headers={"location": "/other"}), Outcome.BAD_STATUS, "302", id="a redirect"),
        pytest.param(Answer(404), Outcome.BAD_STATUS, "404", id="not found"),
        pytest.param(Answer(500), Outcome.BAD_STATUS, "500", id="an error"),
        pytest.param(Answer(304), Outcome.BAD_STATUS, "304", id="304 to nothing"),
        pytest.param(Answer(headers=HTML), Outcome.BAD_CONTENT, "content type", id="HTML"),
        pytest.param(Answer(headers={}), Outcome.BAD_CONTENT, "content type", id="no content type"),
        pytest.param(Answer(headers=ZIPPED), Outcome.BAD_CONTENT, "compressed", id="compressed"),
        pytest.param(Answer(body=b" " * 600_000), Outcome.TOO_LARGE, "524288", id="huge"),
        pytest.param(Answer(body=b" " * 9_999, endless=True), Outcome.TOO_LARGE, "524288", id="endless"),
    ],
)
async def test_a_page_that_is_not_what_was_asked_for_is_refused(answer: Answer, outcome: Outcome, words: str) -> None:
    async with provider() as idp:
        idp.pages["/jwks"], idp.pages["/other"] = answer, Answer()
        error = await failure(web(), idp.url + "/jwks")
        assert idp.count("/other") == 0
    assert error.outcome is outcome
    assert words in str(error)
    assert str(error).startswith(f"{idp.url}/jwks ")


async def test_a_slow_page_is_given_up() -> None:
    async with provider() as idp:
        idp.pages["/jwks"] = Answer(hold=asyncio.Event())
        error = await failure(web(seconds=0.2), idp.url + "/jwks")
    assert error.outcome is Outcome.TIMEOUT


async def test_a_page_that_never_ends_is_given_up_however_small_its_parts() -> None:
    async with provider() as idp:
        idp.pages["/jwks"] = Answer(body=b"", endless=True)
        idp.pages["/jwks"] = Answer(headers={"content-type": "application/json", "content-length": "10"}, body=b"")
        error = await failure(web(seconds=0.3), idp.url + "/jwks")
    assert error.outcome in (Outcome.TIMEOUT, Outcome.UNREACHABLE)


async def test_nobody_there_is_told() -> None:
    async with provider() as idp:
        url = idp.url
    assert (await failure(web(), url + "/jwks")).outcome is Outcome.UNREACHABLE


async def test_what_is_not_http_is_told() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await failure(web(), f"http://127.0.0.1:{port}/")).outcome is Outcome.UNREACHABLE


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with provider() as proxy, provider() as idp:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        idp.pages["/jwks"] = Answer()
        fetching = web()
        await fetching.get(parse(idp.url + "/jwks"))
        await fetching.close()
        assert proxy.asked == []


async def test_the_operator_may_name_a_proxy() -> None:
    async with provider() as proxy:
        proxy.pages["http://127.0.0.1:1/jwks"] = Answer(body=b"{}")
        fetching = Web(guard=Guard(), proxy=proxy.url)
        assert (await fetching.get(parse("http://127.0.0.1:1/jwks"))).body == b"{}"
        await fetching.close()


async def test_the_operators_authority_vouches_for_the_provider(pem: Path) -> None:
    async with provider(tls(pem)) as idp:
        idp.pages["/jwks"] = Answer()
        url = f"https://127.0.0.1:{idp.port}/jwks"
        # The name in the URL is not the name in the certificate.
        assert (await failure(Web(guard=Guard(), ca_file=pem), url)).outcome is Outcome.UNREACHABLE
        assert (await failure(web(), url)).outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize("content", [pytest.param(None, id="no file"), pytest.param(b"nothing", id="no certificate")])
def test_a_ca_file_that_cannot_be_used_is_a_mistake_of_the_operator(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Web(guard=Guard(), ca_file=path)
    assert str(path) in str(caught.value)


async def test_a_foreign_url_is_called_at_the_checked_address_under_its_own_name(pem: Path) -> None:
    async with provider(tls(pem)) as idp:
        idp.pages["/jwks"] = Answer(body=b'{"keys": 1}')
        fetching = Web(guard=Sent("127.0.0.1"), ca_file=pem)
        # No resolver knows this name: whoever looked it up again would find nothing.
        page = await fetching.get(parse(f"https://{NAME}:{idp.port}/jwks"), foreign=True)
        await fetching.close()
    assert page.body == b'{"keys": 1}'
    assert page.certificate_ends == x509.load_pem_x509_certificate(certificate()).not_valid_after_utc.timestamp()
    assert idp.asked[0].headers["host"] == f"{NAME}:{idp.port}"
    assert idp.server_names == [NAME]


async def test_a_foreign_url_needs_a_certificate_for_its_name(pem: Path) -> None:
    class Elsewhere(Guard):
        async def addresses(self, _: Url) -> tuple[str, ...]:
            return ("127.0.0.1",)

    async with provider(tls(pem)) as idp:
        idp.pages["/jwks"] = Answer()
        fetching = Web(guard=Elsewhere(), ca_file=pem)
        error = await failure(fetching, f"https://other.example:{idp.port}/jwks", foreign=True)
        assert error.outcome is Outcome.UNREACHABLE
        assert idp.asked == []


async def test_the_next_address_is_tried_when_nobody_answers(pem: Path) -> None:
    async with provider(tls(pem)) as idp:
        idp.pages["/jwks"] = Answer()
        fetching = Web(guard=Sent("127.0.0.2", "::1", "127.0.0.1"), ca_file=pem)
        assert (await fetching.get(parse(f"https://{NAME}:{idp.port}/jwks"), foreign=True)).status == 200
        await fetching.close()


async def test_when_no_address_answers_it_is_told(pem: Path) -> None:
    async with provider(tls(pem)) as idp:
        port = idp.port
    fetching = Web(guard=Sent("127.0.0.1"), ca_file=pem)
    assert (await failure(fetching, f"https://{NAME}:{port}/", foreign=True)).outcome is Outcome.UNREACHABLE


async def test_a_foreign_url_that_redirects_is_not_followed(pem: Path) -> None:
    async with provider(tls(pem)) as idp:
        idp.pages["/jwks"] = Answer(301, headers={"location": "https://127.0.0.1/"})
        fetching = Web(guard=Sent("127.0.0.1"), ca_file=pem)
        error = await failure(fetching, f"https://{NAME}:{idp.port}/jwks", foreign=True)
    assert error.outcome is Outcome.BAD_STATUS


async def test_a_foreign_url_goes_through_no_proxy(pem: Path) -> None:
    async with provider(tls(pem)) as idp, provider() as proxy:
        idp.pages["/jwks"] = Answer()
        fetching = Web(guard=Sent("127.0.0.1"), ca_file=pem, proxy=proxy.url)
        await fetching.get(parse(f"https://{NAME}:{idp.port}/jwks"), foreign=True)
        await fetching.close()
        assert proxy.asked == []


async def test_a_foreign_url_that_leads_to_loopback_is_never_called(pem: Path) -> None:
    async def names(_: str, __: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with provider(tls(pem)) as idp:
        fetching = Web(guard=Guard(names), ca_file=pem)
        error = await failure(fetching, f"https://{NAME}:{idp.port}/jwks", foreign=True)
        assert (error.outcome, idp.asked, idp.server_names) == (Outcome.FORBIDDEN, [], [])
    assert "loopback" in str(error)


async def test_an_ipv6_address_is_spelled_as_one(pem: Path) -> None:
    fetching = Web(guard=Sent(str(ipaddress.ip_address("::1"))), ca_file=pem)
    error = await failure(fetching, f"https://{NAME}:1/", foreign=True)
    assert error.outcome is Outcome.UNREACHABLE


async def test_a_form_is_sent_with_its_credentials() -> None:
    async with provider() as idp:
        idp.pages["/ask"] = Answer(body=b'{"active": false}')
        fetching = web()
        page = await fetching.post(parse(idp.url + "/ask"), {"token": "a+b&c"}, authorization="Basic eA==")
        await fetching.close()
    asked = idp.asked[0]
    assert (asked.method, asked.body, asked.headers["authorization"]) == ("POST", b"token=a%2Bb%26c", "Basic eA==")
    assert page.body == b'{"active": false}'
