"""Who is trusted with what: the listener's certificate, its clients', and the servers' behind."""

import ssl
from pathlib import Path

import httpx2
import pytest

from tests.gateway.certificates import Authority, authority
from tests.gateway.standing import Recording, asking, call, config, gateway, running


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path, "ca")


def trusting(ca: Authority, cert: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca.file)
    if cert is not None:
        context.load_cert_chain(*cert)
    return context


def listening(tmp_path: Path, ca: Authority, more: str = "") -> str:
    ca.leaf(tmp_path, "leaf")
    return f'[listen]\nbind = "127.0.0.1:0"\ntls_cert_file = "leaf.crt"\ntls_key_file = "leaf.key"\n{more}\n'


async def test_a_new_certificate_serves_new_connections_without_a_restart(tmp_path, sidecar, upstream, ca):
    other = authority(tmp_path, "other")
    async with gateway(config(tmp_path, sidecar, upstream, listening(tmp_path, ca))) as front:
        assert front.url.startswith("https://")
        async with asking(front, verify=trusting(ca)) as old:
            assert (await old.post("/mcp", content=call())).status_code == 200
            assert not await front.refresh()
            other.leaf(tmp_path, "leaf")
            assert await front.refresh()
            assert (await old.post("/mcp", content=call())).status_code == 200  # on the connection that it has
            async with asking(front, verify=trusting(other)) as new:
                assert (await new.post("/mcp", content=call())).status_code == 200
            async with asking(front, verify=trusting(ca)) as late:
                with pytest.raises(httpx2.ConnectError):
                    await late.post("/mcp", content=call())


async def test_a_certificate_that_does_not_fit_its_key_is_kept_out_until_it_does(
    tmp_path, sidecar, upstream, ca, caplog
):
    async with gateway(config(tmp_path, sidecar, upstream, listening(tmp_path, ca))) as front:
        good = (tmp_path / "leaf.key").read_bytes()
        ca.leaf(tmp_path, "another")
        (tmp_path / "leaf.key").write_bytes((tmp_path / "another.key").read_bytes())
        for _ in range(2):
            assert not await front.refresh()
        assert caplog.text.count("gateway_edit_refused") == 1  # said once, not every second
        async with asking(front, verify=trusting(ca)) as http:
            assert (await http.post("/mcp", content=call())).status_code == 200
        (tmp_path / "leaf.key").write_bytes(good)
        assert await front.refresh()


async def test_clients_without_a_certificate_of_the_authority_do_not_come_in(tmp_path, sidecar, upstream, ca):
    clients, others = authority(tmp_path, "clients"), authority(tmp_path, "others")
    more = listening(tmp_path, ca, 'client_ca_file = "clients.pem"')
    mine, foreign = clients.leaf(tmp_path, "mine"), others.leaf(tmp_path, "foreign")

    async def enters(front, cert) -> bool:
        async with asking(front, verify=trusting(ca, cert)) as http:
            try:
                return (await http.post("/mcp", content=call())).status_code == 200
            except httpx2.TransportError:
                return False

    async with gateway(config(tmp_path, sidecar, upstream, more)) as front:
        assert [await enters(front, cert) for cert in (None, foreign, mine)] == [False, False, True]
        clients.file.write_bytes(others.file.read_bytes())
        assert await front.refresh()
        # The authority that was taken away lets nobody in any more, not even by resuming an old session.
        assert [await enters(front, cert) for cert in (None, foreign, mine)] == [False, True, False]


@pytest.fixture
def tls_server(tmp_path, ca):
    """Serves over TLS with a certificate of the authority, for clients who show one when `mutual`."""

    def serve(server: Recording, *, mutual: bool = False):
        cert, key = ca.leaf(tmp_path, "server")
        more = {"ssl_ca_certs": str(ca.file), "ssl_cert_reqs": ssl.CERT_REQUIRED} if mutual else {}
        return running(server, ssl_certfile=str(cert), ssl_keyfile=str(key), **more)

    return serve


async def test_a_server_is_verified_by_its_own_authority_and_by_no_other(tmp_path, sidecar, server, tls_server):
    authority(tmp_path, "other")
    async with tls_server(server) as url:
        for file, status in (("ca.pem", 200), ("other.pem", 502)):
            path = config(tmp_path, sidecar, url, server=f'ca_file = "{file}"')
            async with gateway(path) as front, asking(front) as http:
                assert (await http.post("/mcp", content=call())).status_code == status
        async with gateway(config(tmp_path, sidecar, url)) as front, asking(front) as http:
            assert (await http.post("/mcp", content=call())).status_code == 502  # the system's know it not
    assert len(server.bodies) == 1


async def test_a_server_may_ask_for_a_certificate_of_the_gateway(tmp_path, sidecar, server, tls_server, ca):
    ca.leaf(tmp_path, "gateway")
    mutual = 'ca_file = "ca.pem"\ncert_file = "gateway.crt"\nkey_file = "gateway.key"'
    async with tls_server(server, mutual=True) as url:
        for files, status in ((mutual, 200), ('ca_file = "ca.pem"', 502)):
            async with gateway(config(tmp_path, sidecar, url, server=files)) as front, asking(front) as http:
                assert (await http.post("/mcp", content=call())).status_code == status


async def test_the_gateways_credential_is_read_again_and_never_an_old_one(tmp_path, sidecar, server, upstream):
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    path = config(tmp_path, sidecar, upstream, server='credential_file = "secret"')
    async with gateway(path) as front, asking(front) as http:
        await http.post("/mcp", content=call())
        assert server.seen("authorization") == ["Bearer first"]
        secret.write_text("second one")
        await http.post("/mcp", content=call())
        assert server.seen("authorization") == ["Bearer second one"]
        for wrong in ("", "a\nb", "x" * 20_000):
            secret.write_text(wrong)
            assert (await http.post("/mcp", content=call())).status_code == 502
        secret.unlink()
        gone = await http.post("/mcp", content=call())
        assert (gone.status_code, gone.json()["error"]["message"]) == (502, "the server could not be asked")
    assert len(server.bodies) == 2


async def test_a_credential_may_have_a_header_of_its_own_that_clients_cannot_set(tmp_path, sidecar, server, upstream):
    (tmp_path / "secret").write_text("key-1")
    more = 'credential_file = "secret"\ncredential_header = "X-Api-Key"'
    async with gateway(config(tmp_path, sidecar, upstream, server=more)) as front, asking(front) as http:
        await http.post("/mcp", content=call(), headers=[("x-api-key", "mine"), ("X-API-KEY", "mine too")])
    assert server.seen("x-api-key") == ["key-1"]
    assert server.seen("authorization") == []
