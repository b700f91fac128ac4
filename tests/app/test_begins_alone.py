"""One sidecar for one state, one socket and one port; whoever comes second is told, and leaves nothing behind."""

import socket
import stat

import pytest

from tests.app.running import House, ask, refused, running


async def test_the_state_directory_is_private(home: House) -> None:
    async with running(home):
        assert stat.S_IMODE((home.home / "var").stat().st_mode) == 0o700


async def test_an_open_state_directory_is_closed(home: House) -> None:
    (home.home / "var").mkdir()
    (home.home / "var").chmod(0o755)
    async with running(home):
        assert stat.S_IMODE((home.home / "var").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
async def test_a_state_directory_that_others_can_write_is_refused(home: House, mode: int) -> None:
    """Whoever could write there could have left a policy that would now be put in force."""
    (home.home / "var").mkdir()
    (home.home / "var").chmod(mode)
    told = await refused(home)
    assert told.startswith(f"`state_dir` {home.home}/var: has mode {mode:04o}, so others could write a policy there")
    assert stat.S_IMODE((home.home / "var").stat().st_mode) == mode
    assert not home.socket.exists()


async def test_a_state_directory_that_is_none_is_refused(home: House) -> None:
    (home.home / "var").write_text("x")
    assert await refused(home) == f"`state_dir` {home.home}/var: is not a directory"


async def test_a_second_sidecar_on_the_same_state_is_refused(home: House) -> None:
    async with running(home) as stub:
        assert "another sidecar keeps its state there" in await refused(home)
        assert (await ask(stub, home.token())).allowed
    async with running(home):
        pass
    assert [one["action"] for one in home.decisions if one["type"] == "admin"].count("stop") == 2


async def test_a_second_sidecar_on_the_same_socket_is_refused(home: House) -> None:
    async with running(home) as stub:
        second = home.config.read_text().replace('state_dir = "var"', 'state_dir = "other"')
        second = second.replace(str(home.http_port), "0")
        home.config.write_text(second)
        assert await refused(home) == f"another process is listening on `{home.socket}`: stop it or use another path"
        assert (await ask(stub, home.token())).allowed
    other = (home.home / "other" / "audit" / "decisions.jsonl").read_text()
    assert other == ""  # one that never answered has nothing to tell


async def test_a_taken_http_port_is_told_and_nothing_stays_behind(home: House) -> None:
    with socket.create_server(("127.0.0.1", home.http_port)):
        told = await refused(home)
    assert told.startswith(f"cannot listen on 127.0.0.1:{home.http_port} for HTTP: ")
    assert list(home.socket.parent.iterdir()) == []
    async with running(home) as stub:
        assert (await ask(stub, home.token())).allowed
