"""The watch over tokens finds them wherever they may not be, and nothing else."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import canaries
from tests.tokens.makers import token


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


def found(root: Path) -> list[str]:
    return [f"{path.name}: {said}" for path, said in canaries.below(root)]


def test_a_token_in_a_log_is_a_leak_that_is_told_without_its_secret_part(place: Path) -> None:
    bearer = token()
    (place / "deep").mkdir()
    (place / "deep" / "decisions.jsonl").write_text(f'{{"detail":"{bearer}"}}\n')
    assert found(place) == [f"decisions.jsonl: a token that begins with `{bearer[:16]}…`"]
    assert bearer.rpartition(".")[2] not in str(found(place))
    shutil.rmtree(place)
    assert len(canaries.taken()) == 1, "it was looked into before it was removed"


def test_the_signature_alone_is_a_leak(place: Path) -> None:
    (place / "log").write_text(f"digest={token().rpartition('.')[2]}")
    assert found(place) == ["log: the signature of a token"]
    shutil.rmtree(place)
    assert canaries.taken()


def test_a_token_in_a_database_is_a_leak(place: Path) -> None:
    with closing(sqlite3.connect(place / "some.db")) as db, db:
        db.execute("CREATE TABLE grants (token TEXT)")
        db.execute("INSERT INTO grants VALUES (?)", [token()])
    assert len(found(place)) == 1
    shutil.rmtree(place)
    assert canaries.taken()


def test_a_token_file_may_hold_one_and_its_signature_may_stand_nowhere_else(place: Path) -> None:
    bearer = token()
    canaries._minted.discard(bearer.rpartition(".")[2].encode())
    (place / "alice.token").write_text(bearer)
    assert found(place) == []
    (place / "log").write_text(bearer.rpartition(".")[2])
    assert found(place) == ["log: the signature of a token"]
    shutil.rmtree(place)
    assert canaries.taken()


def test_what_is_no_token_is_left_alone(place: Path) -> None:
    (place / "log").write_text("eyJhbGciOiJub25lIn0 sha256:" + "0f" * 32 + " " + token()[:40] + " a.b.c")
    (place / "link").symlink_to("/dev/zero")
    assert found(place) == []
