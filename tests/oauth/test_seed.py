"""Seeds: held to the rules of the command line, so that neither makes what the other would refuse."""

from pathlib import Path

import pytest

from authz_sidecar import configfile
from authz_sidecar.app import authseed, authserver
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError

_CONFIG = """\
state_dir = "state"
[oauth]
issuer = "http://127.0.0.1:9400"
development = true
seed = "seed.toml"
tell_sidecars = false
[oauth.scopes]
"tickets:read" = { en = "See tickets" }
[[issuers]]
alias = "own"
issuer = "http://127.0.0.1:9400"
jwks_uri = "http://127.0.0.1:9400/jwks"
algorithms = ["ES256"]
development = true
[[servers]]
name = "ops"
audience = "https://ops.example/mcp"
"""
_CLIENT = "[[clients]]\nid = 'x'\n"
_REDIRECT = "redirect_uris = ['https://x.example/cb']\n"
_USER = "[[users]]\nname = 'x'\npassword = 'correct horse battery'\n"


def _config(directory: Path, seed: str) -> Config:
    (directory / "seed.toml").write_text(seed)
    (directory / "authz.toml").write_text(_CONFIG)
    return configfile.load(directory / "authz.toml", {})


@pytest.mark.parametrize(
    ("seed", "why"),
    [
        pytest.param(f"[[clients]]\nid = 'https://x.example/d'\n{_REDIRECT}", "not a client id", id="a URL as an id"),
        pytest.param(f"[[clients]]\nid = '-x'\n{_REDIRECT}", "not a client id", id="an option as an id"),
        pytest.param(f"{_CLIENT}name = '{'n' * 101}'\n{_REDIRECT}", "at most 100", id="a novel as a name"),
        pytest.param(_CLIENT, "`x`: a client for people needs a redirect URI", id="nowhere to go to"),
        pytest.param(f"{_CLIENT}grant_types = ['client_credentials']", "prove itself", id="no proof"),
        pytest.param(f"{_CLIENT}grant_types = ['implicit']\n{_REDIRECT}", "`implicit` is no grant", id="no such grant"),
        pytest.param(f"{_CLIENT}scopes = ['admin']\n{_REDIRECT}", "has the scope `admin`", id="no such scope"),
        pytest.param(f"{_CLIENT}{_REDIRECT}{_USER}", "`x` is the id of a client", id="a client's name"),
        pytest.param(_USER.replace("'x'", "'al ice'"), "no account name", id="a space in a name"),
        pytest.param(_USER.replace("correct horse battery", "short"), "at least 12", id="a short password"),
        pytest.param(f"{_USER}roles = ['a b']", "no role or group", id="a space in a role"),
    ],
)
async def test_a_seed_is_held_to_the_rules_of_the_command_line(tmp_path: Path, seed: str, why: str) -> None:
    config = _config(tmp_path, seed)
    async with authserver.opened(config) as (core, _):
        with pytest.raises(ConfigError, match=why):
            await authseed.sow(config, core)


async def test_a_client_with_a_mistake_keeps_out_those_beside_it(tmp_path: Path) -> None:
    config = _config(tmp_path, f"[[clients]]\nid = 'well'\n{_REDIRECT}{_CLIENT}")
    async with authserver.opened(config) as (core, _):
        with pytest.raises(ConfigError, match="redirect URI"):
            await authseed.sow(config, core)
        assert await core.registry.find("well") is None


async def test_an_account_is_found_again_however_the_seed_spells_it(tmp_path: Path) -> None:
    config = _config(tmp_path, _USER.replace("'x'", "' Alice'"))
    for _ in range(2):
        async with authserver.opened(config) as (core, people):
            await authseed.sow(config, core)
            assert [one.name for one in await people.accounts.all()] == ["alice"]


async def test_a_client_cannot_take_the_name_of_an_account(tmp_path: Path) -> None:
    config = _config(tmp_path, _USER)
    async with authserver.opened(config) as (core, _):
        await authseed.sow(config, core)
        _config(tmp_path, f"{_CLIENT}{_REDIRECT}")
        with pytest.raises(ConfigError, match="`x` is the name of an account"):
            await authseed.sow(config, core)
        assert await core.registry.find("x") is None
