"""Keys and database of the authorization server: ours alone, whatever was there before."""

import os
import resource
import sqlite3
import stat
from pathlib import Path

import pytest
import structlog

from authz_sidecar import configfile
from authz_sidecar.app import authplaces, authserver, checkup_oauth
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import places
from authz_sidecar.serving import allow_files

_CONFIG = """\
state_dir = "state"
[oauth]
issuer = "https://login.example"
tell_sidecars = false
{more}
[oauth.scopes]
"tickets:read" = {{ en = "See tickets" }}
[[issuers]]
alias = "own"
issuer = "https://login.example"
jwks_uri = "https://login.example/jwks"
algorithms = ["ES256"]
[[servers]]
name = "ops"
audience = "https://ops.example/mcp"
"""


def _config(directory: Path, *, more: str = "") -> Config:
    (directory / "authz.toml").write_text(_CONFIG.format(more=more))
    return configfile.load(directory / "authz.toml", {})


async def _start(config: Config) -> list[str]:
    """Open everything, close it, and give what was shut meanwhile."""
    with structlog.testing.capture_logs() as said:
        async with authserver.opened(config):
            pass
    return [Path(one["path"]).name for one in said if one["event"] == "oauth_place_shut"]


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def _health(config: Config) -> dict[str, str]:
    return {one.about: one.health.value for one in checkup_oauth.look(config)}


async def test_a_first_start_leaves_nothing_for_others(tmp_path: Path) -> None:
    config = _config(tmp_path)
    assert _health(config) == {"oauth keys": "ok", "oauth database": "ok"}
    before = os.umask(0)
    try:
        assert await _start(config) == []
    finally:
        os.umask(before)
    found = {path for path in (tmp_path / "state").rglob("*") if places.readable(path)}
    assert found == set()
    assert _health(config) == {"oauth keys": "ok", "oauth database": "ok"}
    assert await _start(config) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
async def test_a_database_that_others_could_read_is_shut(tmp_path: Path, mode: int) -> None:
    config = _config(tmp_path)
    await _start(config)
    database = tmp_path / "state/oauth/oauth.db"
    # A reader that stays keeps the files of the last changes there.
    with sqlite3.connect(database) as reader:
        reader.execute("SELECT count(*) FROM oauth_clients").fetchall()
        for path in places.of_database(database):
            path.chmod(mode)
        assert _health(config)["oauth database"] == "warn"
        assert await _start(config) == ["oauth.db", "oauth.db-wal", "oauth.db-shm"]
        assert {_mode(path) for path in places.of_database(database) if path.exists()} == {"0600"}
        assert _health(config)["oauth database"] == "ok"
    reader.close()


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
async def test_a_database_that_others_could_write_stops_the_start(tmp_path: Path, end: str) -> None:
    config = _config(tmp_path)
    await _start(config)
    path = tmp_path / f"state/oauth/oauth.db{end}"
    path.touch()
    path.chmod(0o660)
    assert _health(config)["oauth database"] == "fail"
    with pytest.raises(ConfigError, match=f"oauth.db{end}: has mode 0660, so others could write there"):
        await _start(config)
    assert _mode(path) == "0660"


async def test_a_database_of_the_operators_is_held_to_the_same(tmp_path: Path) -> None:
    config = _config(tmp_path, more='database = "sqlite:///other.db"')
    (tmp_path / "other.db").touch(mode=0o600)
    (tmp_path / "other.db").chmod(0o644)
    assert _health(config)["oauth database"] == "warn"
    assert "other.db" in await _start(config)
    assert _mode(tmp_path / "other.db") == "0600"


@pytest.mark.parametrize("place", ["state", "state/oauth", "state/oauth/keys"])
async def test_a_directory_where_others_could_write_stops_the_start(tmp_path: Path, place: str) -> None:
    config = _config(tmp_path)
    await _start(config)
    (tmp_path / place).chmod(0o770)
    with pytest.raises(ConfigError, match=f"{place}: has mode 0770, so others could write there"):
        await _start(config)


async def test_only_a_directory_of_our_own_is_shut(tmp_path: Path) -> None:
    config = _config(tmp_path, more='keys = "named"')
    await _start(config)
    for place in ("state", "state/oauth", "named"):
        (tmp_path / place).chmod(0o755)
    assert await _start(config) == ["oauth"]
    modes = {place: _mode(tmp_path / place) for place in ("state", "state/oauth", "named")}
    assert modes == {"state": "0755", "state/oauth": "0700", "named": "0755"}


async def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path) -> None:
    config = _config(tmp_path, more='database = "sqlite:///notes.txt"')
    (tmp_path / "notes.txt").write_text("not a database at all, but text" * 100)
    (tmp_path / "notes.txt").chmod(0o644)
    with pytest.raises(ConfigError, match="cannot be used"):
        await _start(config)
    assert _mode(tmp_path / "notes.txt") == "0644"


@pytest.mark.parametrize(
    ("mode", "why"), [(0o644, "others can read it, expected 0600"), (0o620, "others could write there")]
)
async def test_keys_that_others_know_or_could_have_written_stop_the_start(tmp_path: Path, mode: int, why: str) -> None:
    config = _config(tmp_path)
    await _start(config)
    (tmp_path / "state/oauth/keys" / places.KEYS).chmod(mode)
    assert _health(config) == {"oauth keys": "fail", "oauth database": "ok"}
    with pytest.raises(ConfigError, match=why):
        await _start(config)


def test_a_place_of_somebody_else_is_refused(tmp_path: Path) -> None:
    theirs = Path("/proc/1") if os.geteuid() else tmp_path
    assert (places.trouble(theirs) is None) == (os.geteuid() == 0)


def test_a_place_that_cannot_be_looked_at_is_said(tmp_path: Path) -> None:
    config = _config(tmp_path, more='keys = "file/keys"')
    (tmp_path / "file").touch()
    assert _health(config)["oauth keys"] == "fail"
    for check in (places.shut, places.check):
        with pytest.raises(ConfigError, match="Not a directory"):
            check(tmp_path / "file/keys")
    places.shut(tmp_path / "missing")
    (tmp_path / "file").chmod(0o666)
    with pytest.raises(ConfigError, match="others could write there"):
        places.shut(tmp_path / "file")


def test_open_files_are_raised_to_what_the_connections_need() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4_096 if hard == resource.RLIM_INFINITY else min(4_096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_000, hard))
    try:
        allow_files(authserver._FILES)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
        allow_files(authserver._FILES)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_doctor_looks_at_a_server_that_there_is(tmp_path: Path) -> None:
    config = _config(tmp_path, more='database = "postgresql://me@db/authz"')
    assert _health(config) == {"oauth keys": "ok"}
    assert authplaces.database(config) == "postgresql://me@db/authz"
    none = config.model_copy(update={"oauth": config.oauth.model_copy(update={"issuer": ""})})
    assert checkup_oauth.look(none) == []
