"""From the configuration to a running server, in this process."""

import asyncio
from pathlib import Path

import httpx2
import pytest
import structlog

from authz_sidecar import configfile
from authz_sidecar.app import authparts, authseed, authserver
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError, NotReady
from authz_sidecar.revocation import Kind, Revocation
from authz_sidecar.server.telling import RemoteRevokes
from authz_sidecar.tokens.revocation_entry import decode
from authz_sidecar.tokens.revocation_share import StoreUnreachable
from examples.demo.processes import free_port
from tests.oauth.roof import _CONFIG, SECRET, configured


async def running(config: Config, *requests: httpx2.Request) -> list[httpx2.Response]:
    stop, started = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(authserver.serve(config, stop=stop, started=started))
    waiting = asyncio.create_task(started.wait())
    try:
        async with asyncio.timeout(10):
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if task.done():
        task.result()
    async with httpx2.AsyncClient() as http:
        found = [await http.send(request) for request in requests]
    stop.set()
    async with asyncio.timeout(10):
        await task
    return found


async def test_the_server_starts_answers_and_stops(tmp_path: Path, unused_tcp_port: int) -> None:
    config = configured(tmp_path)
    base = f"http://127.0.0.1:{unused_tcp_port}"
    moved = config.oauth.model_copy(update={"bind": f"127.0.0.1:{unused_tcp_port}", "issuer": base})
    config = config.model_copy(update={"oauth": moved})
    form = {"grant_type": "client_credentials", "client_id": "robot", "client_secret": SECRET}
    for _ in range(2):
        token, page = await running(
            config, httpx2.Request("POST", f"{base}/token", data=form), httpx2.Request("GET", f"{base}/account")
        )
        assert token.json()["scope"] == "tickets:read"
        assert page.status_code in (200, 303)


def test_the_knobs_become_settings(tmp_path: Path) -> None:
    config = configured(tmp_path)
    given = authparts.settings(config)
    (resource,) = given.resources
    assert (resource.uri, resource.scope_names) == ("https://ops.example/mcp", ("tickets:read", "tickets:write"))
    assert resource.scopes[0].words == {"en": "See tickets", "ko": "티켓 보기"}
    more = 'resources = [{ uri = "https://x.example/mcp", name = "X", scopes = ["tickets:write"] }]'
    (resource,) = authparts.settings(configured(tmp_path, more=more)).resources
    assert (resource.title, resource.scope_names) == ("X", ("tickets:write",))
    assert authparts.targets(config) == {}
    told = authparts.targets(configured(tmp_path, more='sidecars = ["run/a.sock"]').model_copy())
    assert told == {}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param('keys = "a\\u0001b"', "control characters", id="a path with a control character"),
        pytest.param('tls_cert_file = "x"', "both", id="half of TLS"),
        pytest.param('resources = [{ uri = "x" }]', "not a URI", id="a resource that is no URI"),
        pytest.param('resources = [{ uri = "https://x", scopes = ["y"] }]', "no words", id="a scope without words"),
        pytest.param("access_seconds = 601", "600", id="a token that lives too long"),
        pytest.param("code_seconds = 61", "60", id="a code that lives too long"),
        pytest.param('identity_providers = [{ issuer = "x" }]', "either", id="a provider without keys"),
        pytest.param(
            'identity_providers = [{ issuer = "x", jwks_uri = "http://x.example" }]', "https", id="keys without TLS"
        ),
        pytest.param("acces_seconds = 60", "did you mean `access_seconds`", id="a slip of the pen"),
    ],
)
def test_a_knob_that_cannot_be_meant_is_refused(tmp_path: Path, more: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        configured(tmp_path, more=more)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param('issuer = "http://127.0.0.1:9400/"\n', "trailing slash", id="a trailing slash"),
        pytest.param('issuer = "http://as.example"\n', "https", id="http beyond the loopback"),
        pytest.param('issuer = "http://127.0.0.1:9400"\ndevelopment = false\n', "development", id="http in earnest"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(tmp_path: Path, changed: str, why: str) -> None:
    text = _CONFIG.format(more="").replace('issuer = "http://127.0.0.1:9400"\nbind', f"{changed}bind")
    if "development = false" in changed:
        text = text.replace('bind = "127.0.0.1:0"\ndevelopment = true\n', 'bind = "127.0.0.1:0"\n')
    (tmp_path / "authz.toml").write_text(text)
    with pytest.raises(ConfigError, match=why):
        configfile.load(tmp_path / "authz.toml", {})


async def test_a_start_that_cannot_be_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path)
    for changes, why in (
        ({"issuer": ""}, "issuer` is missing: write the address"),
        ({"bind": "0.0.0.0:9400"}, "open to the network"),
        ({"bind": "127.0.0.1"}, "HOST:PORT"),
        ({"database_password_file": "missing"}, "cannot read the password"),
        ({"ca_file": "missing"}, "missing"),
        ({"seed": "missing"}, "cannot be read as a seed"),
    ):
        changed = config.model_copy(update={"oauth": config.oauth.model_copy(update=changes)})
        with pytest.raises(ConfigError, match=why):
            await authserver.serve(changed)


@pytest.mark.parametrize(
    ("seed", "why"),
    [
        ("strange = 1", "unknown key `strange`"),
        ("clients = 1", "must be tables"),
        ("[[clients]]\nid = 'x'\nstrange = 1", "unknown key `strange`"),
        ("[[clients]]\nname = 'x'", "`id` is missing"),
        ("[[clients]]\nid = 'x'\nsecret = 'short'", "fewer than 32"),
        ("[[clients]]\nid = 'x'\nredirect_uris = ['http://x.example']", "http beyond the loopback"),
        ("[[clients]]\nid = 7", "must be text"),
        ("[[clients]]\nid = 'x'\nscopes = 'y'", "must be a list"),
        ("[[clients", "cannot be read as a seed"),
    ],
)
async def test_a_seed_that_is_wrong_is_refused(tmp_path: Path, seed: str, why: str) -> None:
    config = configured(tmp_path, seed=seed)
    async with authserver.opened(config) as (core, _):
        with pytest.raises(ConfigError, match=why):
            await authseed.sow(config, core)


class _Shared:
    """A shared store that is up, or is not."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.up = True

    async def add(self, entries: list[tuple[str, bytes]]) -> None:
        if not self.up:
            raise StoreUnreachable("nobody answers")
        self.entries |= dict(entries)

    async def close(self) -> None:
        self.up = False


async def test_the_shared_store_is_told_once_however_often() -> None:
    store = _Shared()
    told = authparts.SharedRevokes(store)  # type: ignore[arg-type] # only what is used of it
    entry = Revocation(issuer="https://as.example", kind=Kind.FAMILY, value="g1", ends=2e9, reason="x", by="y")
    for _ in range(2):
        await told.revoke(entry)
    ((name, data),) = store.entries.items()
    assert decode(data, name=name, epoch=1).revocation == entry
    await told.close()
    with pytest.raises(NotReady, match="shared store"):
        await told.revoke(entry)


async def test_a_sidecar_that_is_not_there_or_not_ours_is_said(tmp_path: Path) -> None:
    entry = Revocation(issuer="https://as.example", kind=Kind.TOKEN, value="j1")
    missing = RemoteRevokes(tmp_path / "none" / "admin.sock")
    with pytest.raises(NotReady):
        await missing.revoke(entry)
    await missing.close()
    (tmp_path / "run").mkdir(mode=0o700)
    nobody = RemoteRevokes(tmp_path / "run" / "admin.sock")
    with pytest.raises(NotReady):
        await nobody.revoke(entry)
    await nobody.close()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(NotReady, match="others may write"):
        await RemoteRevokes(tmp_path / "run" / "admin.sock").revoke(entry)


async def test_keys_of_a_provider_are_read_and_kept(tmp_path: Path) -> None:
    (tmp_path / "idp.json").write_text('{"keys":[{"kty":"EC"},1]}')
    more = """identity_providers = [
        { issuer = "https://a.example", jwks_file = "idp.json" },
        { issuer = "https://b.example", jwks_file = "missing.json" },
        { issuer = "https://c.example", jwks_file = "seed.toml" },
        { issuer = "https://d.example", jwks_uri = "http://127.0.0.1:9/jwks" },
    ]"""
    outside = authparts.Outside(configured(tmp_path, more=more))
    found = [await one.keys() for one in outside.providers()]
    assert [[*keys] for keys in found] == [[{"kty": "EC"}], [], [], []]
    assert outside.providers()[0].subject_claim == "sub"
    await outside.close()
    assert authparts.Outside(configured(tmp_path, more="client_documents = false")).documents() is None


@pytest.mark.parametrize("header", ["", "x-forwarded-for"])
async def test_a_proxy_that_hides_its_callers_is_said(tmp_path: Path, header: str) -> None:
    config = configured(tmp_path)
    told = {"issuer": "https://login.example", "client_address_header": header, "development": False, "seed": ""}
    config = config.model_copy(update={"oauth": config.oauth.model_copy(update=told)})
    with structlog.testing.capture_logs() as said:
        await running(config)
    assert ("oauth_callers_share_one_address" in {one["event"] for one in said}) == (header == "")


@pytest.mark.parametrize("further", [0, 1], ids=["as it listens", "at another port"])
async def test_an_issuer_where_nobody_listens_is_said(tmp_path: Path, further: int) -> None:
    config, port = configured(tmp_path), free_port()
    told = {"issuer": f"http://localhost:{port + further}", "bind": f"127.0.0.1:{port}"}
    config = config.model_copy(update={"oauth": config.oauth.model_copy(update=told)})
    with structlog.testing.capture_logs() as said:
        await running(config)
    assert ("oauth_issuer_is_elsewhere" in {one["event"] for one in said}) == bool(further)
