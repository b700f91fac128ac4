"""From `authz.toml` to verified tokens: every key source, with a real provider on loopback."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from authz_sidecar import configfile
from authz_sidecar.app.issuers import Known, known
from authz_sidecar.app.run import Sidecar
from authz_sidecar.errors import ConfigError, TokenError
from authz_sidecar.model import RawToken, Reason, Server
from authz_sidecar.tokens.mint import mint, public_jwks
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import key
from tests.tokens.provider import Answer, Provider, provider

SERVER = Server(name="ops-assistant", audience="https://ops.example/mcp")
OLD, NEW = key("ES256", "old"), key("ES256", "new")

TAIL = f"""
[[servers]]
name = "{SERVER.name}"
audience = "{SERVER.audience}"
"""


def config(folder: Path, *issuers: str, head: str = 'state_dir = "state"\n') -> Path:
    path = folder / "authz.toml"
    path.write_text(head + "".join(f"[[issuers]]\n{one}\n" for one in issuers) + TAIL)
    return path


def lines(issuer: str, *more: str, alias: str = "main", algorithms: bool = True) -> str:
    usual = [f'alias = "{alias}"', f'issuer = "{issuer}"', 'algorithms = ["ES256"]' if algorithms else ""]
    return "\n".join([*usual, *more])


def token(issuer: str, signer: dict[str, object] = OLD, **changes: object) -> str:
    now = time.time()
    claims = {"iss": issuer, "sub": "alice", "aud": SERVER.audience, "iat": now - 5, "exp": now + 300, "client_id": "c"}
    return mint(signer, claims | changes)


async def subject(found: Known, text: str) -> str:
    verifier = JwtVerifier(found.issuers, clock=time.time, opaque=found.opaque)
    async with asyncio.timeout(10):
        return (await verifier.verify(RawToken(text), SERVER)).subject


def metadata(idp: Provider, place: str, issuer: str) -> None:
    idp.pages[place] = Answer(body=json.dumps({"issuer": issuer, "jwks_uri": f"{idp.url}/jwks"}).encode())


async def test_keys_at_a_url(tmp_path: Path) -> None:
    async with provider() as idp:
        idp.jwks(OLD)
        found = known(configfile.load(config(tmp_path, lines(idp.url, f'jwks_uri = "{idp.url}/jwks"')), {}))
        assert idp.asked == []  # nothing is fetched before somebody looks after it, or asks
        assert await subject(found, token(idp.url)) == "alice"
        await found.close()


@pytest.mark.parametrize(
    "place", ["/realms/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/a"]
)
async def test_keys_by_discovery(tmp_path: Path, place: str) -> None:
    async with provider() as idp:
        issuer = f"{idp.url}/realms/a"
        idp.jwks(OLD)
        metadata(idp, place, issuer)
        found = known(configfile.load(config(tmp_path, lines(issuer, "discovery = true")), {}))
        assert await subject(found, token(issuer)) == "alice"
        await found.close()


async def test_keys_by_a_url_of_metadata_whose_issuer_is_elsewhere(tmp_path: Path) -> None:
    async with provider() as idp:
        idp.jwks(OLD)
        metadata(idp, "/meta", "https://idp.example")
        text = lines("https://idp.example", f'discovery = "{idp.url}/meta"')
        found = known(configfile.load(config(tmp_path, text), {}))
        assert await subject(found, token("https://idp.example")) == "alice"
        await found.close()


async def test_metadata_of_another_issuer_gives_no_keys_and_the_status_says_so(tmp_path: Path) -> None:
    async with provider() as idp:
        idp.jwks(OLD)
        metadata(idp, "/meta", "https://idp.example/")
        text = lines("https://idp.example", f'discovery = "{idp.url}/meta"')
        found = known(configfile.load(config(tmp_path, text), {}))
        with pytest.raises(TokenError) as caught:
            await subject(found, token("https://idp.example"))
        assert caught.value.reason is Reason.TOKEN_KEY_UNKNOWN
        problem = found.problems()[0]
        assert "issuer `main`" in str(problem)
        assert "another issuer" in problem.message
        await found.close()


async def test_a_look_fetches_what_is_on_the_web(tmp_path: Path) -> None:
    async with provider() as idp:
        idp.jwks(OLD)
        found = known(configfile.load(config(tmp_path, lines(idp.url, f'jwks_uri = "{idp.url}/jwks"')), {}))
        await found.fill()
        assert [one.kid for one in found.issuers[0].keys.keys] == ["old"]
        assert found.ages()["main"] >= 0


async def test_opaque_tokens(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    async with provider() as idp:
        claims = {"active": True, "sub": "alice", "aud": SERVER.audience, "exp": time.time() + 60, "client_id": "c"}
        idp.pages["/ask"] = Answer(body=json.dumps(claims).encode())
        more = (
            f'introspection_uri = "{idp.url}/ask"',
            'introspection_client_id = "sidecar"',
            'introspection_secret_file = "secret"',
        )
        found = known(configfile.load(config(tmp_path, lines(idp.url, *more, algorithms=False)), {}))
        assert await subject(found, "opaque") == "alice"
        await found.close()


SECRET = ('introspection_client_id = "sidecar"', 'introspection_secret_file = "secret"')
KEYS = 'jwks_uri = "https://idp.example/keys"'


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param(['jwks_uri = "http://idp.example/keys"'], "plain http", id="http elsewhere"),
        pytest.param(['jwks_uri = "idp.example/keys"'], "is not a plain", id="no scheme"),
        pytest.param(['jwks_uri = "https://u:p@idp.example/keys"'], "is not a plain", id="credentials in the URL"),
        pytest.param(['discovery = "ftp://idp.example"'], "is not a plain", id="discovery by ftp"),
        pytest.param([KEYS, "discovery = true"], "`jwks_uri` and `discovery`", id="two sources"),
        pytest.param([KEYS, 'jwks_file = "keys.json"'], "`jwks_uri` and `jwks_file`", id="web and file"),
        pytest.param([], "found none", id="no source"),
        pytest.param([KEYS, "keys_max_age_seconds = 299"], "greater than or equal to 300", id="a short age limit"),
        pytest.param([KEYS, 'proxy = "socks5://p:1"'], "`socks5://p:1`", id="a proxy of another kind"),
        pytest.param([KEYS, 'proxy = "http://u:p@p:1"'], "http://HOST:PORT", id="credentials of a proxy"),
        pytest.param([KEYS, 'proxy = "http://p:1/a"'], "path", id="a proxy with a path"),
        pytest.param(['pem_file = "a"', 'ca_file = "b"'], "on the web", id="an authority for a file"),
        pytest.param([KEYS, *SECRET], "need `introspection_uri`", id="credentials for nothing"),
        pytest.param(
            [KEYS, 'introspection_uri = "https://idp.example/"'], "needs", id="introspection without credentials"
        ),
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(tmp_path: Path, more: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configfile.load(config(tmp_path, lines("https://idp.example", *more)), {})
    assert words in str(caught.value)


def test_discovery_begins_at_an_issuer_that_is_a_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        configfile.load(config(tmp_path, lines("urn:idp", "discovery = true")), {})
    assert "begins at `issuer`" in str(caught.value)


def test_keys_need_algorithms(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        configfile.load(config(tmp_path, lines("https://idp.example", KEYS, algorithms=False)), {})
    assert "`algorithms` is missing" in str(caught.value)


def test_an_opaque_token_must_have_one_issuer_to_ask(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    ask = ('introspection_uri = "https://idp.example/ask"', *SECRET)
    path = config(
        tmp_path, lines("https://a.example", KEYS, *ask, alias="a"), lines("https://b.example", KEYS, *ask, alias="b")
    )
    with pytest.raises(ConfigError) as caught:
        known(configfile.load(path, {}))
    assert "which of them" in str(caught.value)


def test_a_ca_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    path = config(tmp_path, lines("https://idp.example", KEYS, 'ca_file = "none.pem"'))
    with pytest.raises(ConfigError) as caught:
        known(configfile.load(path, {}))
    assert "none.pem" in str(caught.value)


# A provider at work, over real HTTP.


async def test_rotation_under_load_fails_no_valid_request(tmp_path: Path) -> None:
    async with provider() as idp:
        idp.jwks(OLD, etag='"1"', cache_control="max-age=3600")
        found = known(configfile.load(config(tmp_path, lines(idp.url, f'jwks_uri = "{idp.url}/jwks"')), {}))
        verifier = JwtVerifier(found.issuers, clock=time.time)
        running = asyncio.create_task(found.changing["main"].run())
        signing, answered = OLD, 0

        async def caller(name: str) -> None:
            nonlocal answered
            for n in range(50):
                text = token(idp.url, signing, jti=f"{name}-{n}")
                assert (await verifier.verify(RawToken(text), SERVER)).subject == "alice"
                answered += 1
                await asyncio.sleep(0)

        async with asyncio.timeout(10), asyncio.TaskGroup() as callers:
            for name in ("a", "b", "c"):
                callers.create_task(caller(name))
            await settle(lambda: answered > 30)
            idp.jwks(OLD, NEW)
            signing = NEW
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await found.close()
    assert answered == 150
    assert idp.count("/jwks") == 2


async def test_a_storm_of_unknown_kids_reaches_the_provider_once(tmp_path: Path) -> None:
    async with provider() as idp:
        idp.jwks(OLD)
        found = known(configfile.load(config(tmp_path, lines(idp.url, f'jwks_uri = "{idp.url}/jwks"')), {}))
        await found.changing["main"].seek()
        verifier = JwtVerifier(found.issuers, clock=time.time)

        async def invent(n: int) -> Reason:
            with pytest.raises(TokenError) as caught:
                await verifier.verify(RawToken(token(idp.url, OLD | {"kid": f"invented-{n}"})), SERVER)
            return caught.value.reason

        async with asyncio.timeout(10):
            reasons = await asyncio.gather(*(invent(n) for n in range(1_000)))
        assert set(reasons) == {Reason.TOKEN_KEY_UNKNOWN}
        assert await subject(found, token(idp.url)) == "alice"
        await found.close()
    assert idp.count("/jwks") <= 2


# The whole sidecar.


@contextlib.asynccontextmanager
async def sidecar(path: Path) -> AsyncIterator[Sidecar]:
    folder = path.parent / "policies"
    folder.mkdir()
    (folder / "policy.csv").write_text("p, role:a, ops-assistant, tools/call, x, allow\n")
    found = Sidecar(configfile.load(path, {}))
    try:
        await found.open()
        yield found
    finally:
        await found.close()


async def settle(until: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not until():  # noqa: ASYNC110 - a counter of another task
            await asyncio.sleep(0.01)


async def test_an_issuer_that_cannot_be_reached_leaves_the_sidecar_serving_others(tmp_path: Path) -> None:
    head = 'state_dir = "state"\n[http]\nbind = ""\n[policy]\nengine = "plain"\n'
    (tmp_path / "keys.json").write_text(json.dumps(public_jwks([NEW])))
    async with provider() as idp:
        url = idp.url  # from here on nobody listens there
    path = config(
        tmp_path,
        lines(url, f'jwks_uri = "{url}/jwks"', alias="away"),
        lines("https://here.example", 'jwks_file = "keys.json"', alias="here"),
        head=head,
    )
    async with sidecar(path) as running:
        await settle(
            lambda: b'authz_key_fetches_total{issuer="away",outcome="unreachable"}' in running.metrics.render()
        )
        verify = running._grpc._decider._verifier.verify  # type: ignore[attr-defined] # the verifier as it is wired
        here = await verify(RawToken(token("https://here.example", NEW)), SERVER)
        assert here.user == "user:here/alice"
        with pytest.raises(TokenError) as caught:
            await verify(RawToken(token(url)), SERVER)
        assert caught.value.reason is Reason.TOKEN_KEY_UNKNOWN
        assert [problem.file for problem in running._known.problems()] == ["issuer `away`"]
        assert b"authz_keys_age_seconds{" not in running.metrics.render()
