"""Revocations as bytes and on disk: nothing is lost, and nothing unreadable is skipped."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import ConfigError
from authz_sidecar.revocation import Kind
from authz_sidecar.tokens.revocation_disk import Disk
from authz_sidecar.tokens.revocation_entry import EntryUnreadable, decode, encode
from tests.tokens.makers import ISSUER, NOW
from tests.tokens.revoking import kept, revocation

WHOLE = kept("w", revocation(Kind.SUBJECT, "ålice 'x'", issued_before=NOW - 0.25, ends=NOW, reason="why", by="me"))


@contextmanager
def disk(path: Path) -> Iterator[Disk]:
    found = Disk(path)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "revocations.db"


@pytest.mark.parametrize("one", [WHOLE, kept("t", revocation(Kind.TOKEN, "t-1")), kept("x", at=0.1, until=0.3)])
def test_a_revocation_is_read_as_it_was_written(one) -> None:
    assert decode(encode(one), name=one.id, epoch=one.epoch) == one


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"v": 2}, "of version 2; upgrade", id="a later version"),
        pytest.param({"kind": "planet"}, "cannot be read", id="a kind that is not known"),
        pytest.param({"only": "x"}, "cannot be read", id="a field that may narrow it"),
        pytest.param({"at": "then"}, "cannot be read", id="a time in words"),
        pytest.param({"at": None}, "cannot be read", id="no time"),
        pytest.param({"value": ""}, "cannot be read", id="nobody is meant"),
        pytest.param({"iss": ""}, "cannot be read", id="no issuer"),
    ],
)
def test_what_cannot_be_told_is_not_skipped(changed: dict[str, object], said: str) -> None:
    data = msgspec.json.decode(encode(WHOLE)) | changed
    with pytest.raises(EntryUnreadable, match=r"the revocation `w` (is|cannot)") as caught:
        decode(msgspec.json.encode(data), name="w", epoch=1)
    assert said in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_revocation_or_refused(data: bytes) -> None:
    with pytest.raises(EntryUnreadable):
        decode(data, name="x", epoch=1)


def test_what_is_saved_is_there_after_a_restart(path: Path) -> None:
    with disk(path) as first:
        assert first.load().epoch == 0
        first.save([WHOLE, kept("b", epoch=2)])
        first.save([kept("c", epoch=7)])
    with disk(path) as second:
        found = second.load()
    assert [one.id for one in found.kept] == ["w", "b", "c"]
    assert found.kept[0] == WHOLE
    assert found.epoch == 7


def test_saving_twice_is_saving_once(path: Path) -> None:
    with disk(path) as it:
        it.save([WHOLE])
        it.save([WHOLE, kept("b", epoch=2)])
        assert [one.id for one in it.load().kept] == ["w", "b"]


def test_two_revocations_never_share_an_epoch(path: Path) -> None:
    with disk(path) as it:
        it.save([WHOLE])
        with pytest.raises(sqlite3.IntegrityError):
            it.save([kept("other", epoch=1)])


def test_what_is_forgotten_leaves_its_horizon_and_its_epoch(path: Path) -> None:
    with disk(path) as it:
        it.save([WHOLE, kept("b", epoch=2)])
        it.forget(["b", "never there"], {ISSUER: 5.0})
        it.forget([], {ISSUER: 6.0})
    with disk(path) as it:
        found = it.load()
    assert ([one.id for one in found.kept], found.horizons, found.epoch) == (["w"], {ISSUER: 6.0}, 2)


def test_nobody_else_can_read_it(path: Path) -> None:
    old = os.umask(0)
    try:
        with disk(path) as it:
            it.save([WHOLE])
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert set(modes.values()) == {0o600}
    assert "revocations.db-wal" in modes


def test_it_syncs_each_commit(path: Path) -> None:
    with disk(path) as it:
        assert it._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert it._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_second_process_is_not_let_in(path: Path) -> None:
    with disk(path), pytest.raises(ConfigError, match="in use by another process"):
        Disk(path)


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"these are surely not the bytes of a database" * 50)


def _later_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 9")


def _unreadable_entry(path: Path) -> None:
    Disk(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO revocations (id, entry) VALUES ('x', '{}')")


def _writable(path: Path) -> None:
    path.touch()
    path.chmod(0o620)


def _link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        pytest.param(_not_a_database, "not a database", id="not a database"),
        pytest.param(_later_version, "of version 9", id="a later version"),
        pytest.param(_unreadable_entry, "the revocation `x` cannot be read", id="an unreadable entry"),
        pytest.param(_writable, "only this user can write", id="others can write it"),
        pytest.param(_link, "symbolic", id="a link"),
        pytest.param(_directory, "directory", id="a directory"),
    ],
)
def test_what_cannot_be_trusted_is_no_start(path: Path, break_it, said: str) -> None:
    path.parent.mkdir(mode=0o700)
    break_it(path)
    with pytest.raises(ConfigError) as caught, disk(path) as it:
        it.load()
    assert str(caught.value).startswith(f"{path}: cannot be used: ")
    assert said in str(caught.value)
    assert "revoke anew" in str(caught.value)
