"""Key files: an edit is live once it rests, and a broken one changes nothing."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar.errors import ConfigError, TokenError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens.filekeys import INTERVAL, FileKeys
from authz_sidecar.tokens.keys import load_client_secret, load_keys
from authz_sidecar.tokens.mint import generate_key, public_jwks
from authz_sidecar.tokens.news import KeyNews
from authz_sidecar.tokens.pages import Outcome
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import NOW, SERVER, claim_bytes, header_bytes, issuer, key, sign
from tests.tokens.provider import Nap, Time

OLD, NEW = key("ES256", "old"), key("ES256", "new")


def write(path: Path, *keys: dict[str, Any]) -> None:
    path.write_text(json.dumps(public_jwks(keys)))


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


def swap(folder: Path) -> None:
    (folder / "fresh").symlink_to("b")
    (folder / "fresh").replace(folder / "data")


class Room:
    def __init__(self, path: Path) -> None:
        self.time = Time(NOW)
        self.news: list[KeyNews] = []
        self.keys = FileKeys(alias="main", path=path, load=load_keys, tell=self.news.append, sleep=self.time.sleep)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Nap]:
        async with self.time.spent_on(self.keys.run()) as nap:
            yield nap

    def kids(self) -> list[str | None]:
        return [one.kid for one in self.keys.keys]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "keys.json"
    write(found, OLD)
    return found


def test_a_file_that_cannot_be_read_is_a_mistake_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Room(tmp_path / "none.json")


async def test_an_edit_is_read_when_it_rests(path: Path) -> None:
    room = Room(path)
    async with room.running() as nap:
        assert nap.seconds == INTERVAL
        await nap.over()
        write(path, OLD, NEW)
        await nap.over()
        assert room.kids() == ["old"]
        await nap.over()
        assert room.kids() == ["old", "new"]
    assert room.keys.epoch == 0
    assert room.news == [KeyNews(issuer="main", outcome=Outcome.FETCHED, added=("new",), keys=2)]


async def test_a_key_that_was_taken_out_of_the_file_takes_its_callers_along(path: Path) -> None:
    room = Room(path)
    verifier = JwtVerifier([issuer(keys=room.keys)], clock=room.time.clock)
    text = sign(header_bytes(kid="old"), claim_bytes(), OLD)
    async with room.running() as nap:
        assert (await verifier.verify(RawToken(text), SERVER)).subject == "alice"
        write(path, NEW)
        await (await nap.over()).over()
        with pytest.raises(TokenError) as caught:
            await verifier.verify(RawToken(text), SERVER)
    assert caught.value.reason is Reason.TOKEN_KEY_UNKNOWN
    assert room.news[-1].removed == ("old",)


@pytest.mark.parametrize("content", [b"", b"{", b'{"keys": []}', b"-----BEGIN PRIVATE KEY-----"])
async def test_a_broken_edit_changes_nothing_and_is_told(path: Path, content: bytes) -> None:
    room = Room(path)
    async with room.running() as nap:
        put(path, content)
        await (await nap.over()).over()
        assert room.kids() == ["old"]
        assert room.news[-1].outcome is Outcome.BAD_CONTENT
        assert str(path) in room.keys.trouble
        write(path, NEW)
        await (await nap.over()).over()
        assert (room.kids(), room.keys.trouble) == (["new"], "")


async def test_a_file_that_is_gone_changes_nothing_and_one_that_is_back_is_read(path: Path) -> None:
    room = Room(path)
    async with room.running() as nap:
        remove(path)
        await (await nap.over()).over()
        assert room.kids() == ["old"]
        assert "no such file" in room.keys.trouble.lower()
        write(path, NEW)
        await (await nap.over()).over()
        assert room.kids() == ["new"]


async def test_a_symlink_that_is_swapped_is_an_edit(tmp_path: Path) -> None:
    """As Kubernetes does with a mounted secret."""
    for name, one in (("a", OLD), ("b", NEW)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "keys.json", one)
    (tmp_path / "data").symlink_to("a")
    room = Room(tmp_path / "data" / "keys.json")
    async with room.running() as nap:
        swap(tmp_path)
        await (await nap.over()).over()
        assert room.kids() == ["new"]


async def test_a_key_for_development_does_not_come_in_later(path: Path) -> None:
    room = Room(path)
    async with room.running() as nap:
        write(path, generate_key("ES256", kid="dev"))
        await (await nap.over()).over()
    assert room.kids() == ["old"]
    assert "restart" in room.keys.trouble


async def test_a_file_is_looked_at_often_enough() -> None:
    assert INTERVAL <= 1


async def test_an_unknown_kid_reads_no_file(path: Path) -> None:
    room = Room(path)
    assert not await room.keys.seek()
    assert room.keys.good_for > 1e9


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        pytest.param(b"s3cret\n", "s3cret", id="with a line end"),
        pytest.param(b"with space", "with space", id="with a space"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"\n", None, id="a line end alone"),
        pytest.param(b"a\nb", None, id="two lines"),
        pytest.param("sécret".encode(), None, id="not ASCII"),
        pytest.param(b"x" * 2_000, None, id="too long"),
    ],
)
def test_a_client_secret_is_one_line(tmp_path: Path, content: bytes, secret: str | None) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    if secret is not None:
        assert load_client_secret(path) == secret
        return
    with pytest.raises(ConfigError) as caught:
        load_client_secret(path)
    assert str(path) in str(caught.value)
