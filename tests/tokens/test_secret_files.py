"""Shared secrets in key files and in files of their own."""

from pathlib import Path

import pytest

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens.keys import Key, load_secret, parse_keys
from tests.tokens.keyfiles import data, pem, public


def test_a_public_key_is_never_a_secret() -> None:
    (found,) = parse_keys(data(public("RS256"))).keys
    confused = Key(kid=None, kty="oct", algorithms=frozenset({"HS256"}), material=found.material)
    assert not confused.verifies("HS256", b"", b"")


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"s" * 32 + end)
    (found,) = load_secret(path).keys
    assert (found.kty, found.algorithms, found.material) == ("oct", {"HS256"}, b"s" * 32)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(b"", "0 bytes", id="an empty file"),
        pytest.param(b"s" * 31 + b"\n", "31 bytes", id="a short secret"),
        pytest.param(b"s" * 1025, "1025 bytes", id="a long secret"),
        pytest.param(pem("rsa"), "PEM or JSON", id="a public key"),
        pytest.param(pem("private"), "PEM or JSON", id="a private key"),
        pytest.param(data(public("ES256")), "PEM or JSON", id="a JWKS"),
        pytest.param(None, "cannot be read", id="no file"),
    ],
)
def test_a_wrong_secret_file_is_refused_with_its_path(tmp_path: Path, document: bytes | None, words: str) -> None:
    path = tmp_path / "secret"
    if document is not None:
        path.write_bytes(document)
    with pytest.raises(ConfigError) as caught:
        load_secret(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
