"""Keyed digests and their key."""

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.audit.digest import Digester, load_or_create_key
from authz_sidecar.errors import ConfigError

KEY = b"k" * 32


@given(st.binary(min_size=1, max_size=300))
def test_a_digest_is_hmac_sha256_cut_to_128_bits(data: bytes) -> None:
    assert Digester(KEY)(data) == hmac.new(KEY, data, hashlib.sha256).hexdigest()[:32]


def test_nothing_has_no_digest() -> None:
    assert Digester(KEY)(b"") == ""
    assert Digester(KEY).many((b"", b"")) == ""


@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
def test_two_lists_of_bytes_look_alike_only_when_they_are(one: list[bytes], two: list[bytes]) -> None:
    digest = Digester(KEY)
    if any(one) or any(two):
        assert (digest.many(tuple(one)) == digest.many(tuple(two))) is (one == two)


def test_a_digester_never_prints_its_key() -> None:
    assert "k" * 32 not in repr(Digester(KEY))


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(ConfigError, match="expected 32"):
        Digester(b"k" * size)
    path = tmp_path / "key"
    path.write_bytes(b"k" * size)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="expected 32 random bytes"):
        load_or_create_key(path)


def test_a_key_is_made_once_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "digest.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert load_or_create_key(path) == key
    assert [found.name for found in path.parent.iterdir()] == ["digest.key"]


def test_a_key_that_others_may_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"mode 0640, expected 0600: run `chmod 0600"):
        load_or_create_key(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        load_or_create_key(tmp_path)
    target = tmp_path / "key"
    target.write_bytes(KEY)
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(ConfigError, match="cannot use the digest key"):
        load_or_create_key(link)
