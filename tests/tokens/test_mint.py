"""Keys and tokens for development: they work, stay private, and say what they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar.errors import ConfigError
from authz_sidecar.model import RawToken
from authz_sidecar.tokens import mint
from authz_sidecar.tokens.keys import load_keys, parse_keys
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import SERVER, Clock, claims, issuer, key


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"])
async def test_what_is_minted_verifies(algorithm: str) -> None:
    private = mint.generate_key(algorithm)
    keys = parse_keys(json.dumps(mint.public_jwks([private])).encode())
    verifier = JwtVerifier([issuer(algorithms=frozenset({algorithm}), keys=keys)], clock=Clock())
    who = await verifier.verify(RawToken(mint.mint(private, claims())), SERVER)
    assert (who.user, who.development) == ("user:alice", True)


def test_a_key_says_that_it_is_for_development_unless_told_otherwise() -> None:
    assert mint.generate_key()["authz_development"] is True
    assert "authz_development" not in mint.generate_key(development=False)


def test_a_key_is_named_by_its_thumbprint_or_as_told() -> None:
    assert mint.generate_key(kid="mine")["kid"] == "mine"
    # The example of RFC 7638 section 3.1.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    )
    record = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert mint.thumbprint(record) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("algorithm", ["HS256", "none", "", "RS257", "x\n"])
def test_an_algorithm_without_key_pairs_is_refused(algorithm: str) -> None:
    with pytest.raises(ConfigError, match="expected one of `ES256`"):
        mint.generate_key(algorithm)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_a_public_set_has_nothing_private(algorithm: str) -> None:
    private = key(algorithm) | {"authz_development": True}
    (public,) = mint.public_jwks([private])["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & public.keys()
    assert public["authz_development"] is True
    assert {"kid", "alg", "use"} <= public.keys()


def test_a_secret_has_no_public_part() -> None:
    with pytest.raises(ConfigError, match="no public part"):
        mint.public_jwks([{"kty": "oct", "k": "AA"}])


def test_keys_are_written_for_their_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "dev-keys.json"
    keys = [mint.generate_key(), mint.generate_key("EdDSA")]
    mint.write_keys(path, keys)
    assert path.stat().st_mode & 0o777 == 0o600
    assert mint.read_keys(path) == keys
    assert [one.development for one in load_keys(path).keys] == [True, True]


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "dev-keys.json"
    mint.write_keys(path, [key("ES256")])
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        mint.write_keys(path, [key("EdDSA")])
    assert path.read_bytes() == before


def test_keys_are_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists already"):
        mint.write_keys(tmp_path / "link", [key("ES256")])
    assert not (tmp_path / "elsewhere").exists()


def test_keys_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write the keys"):
        mint.write_keys(tmp_path / "absent" / "keys.json", [key("ES256")])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(None, "make some first", id="no file"),
        pytest.param(b"{", "expected a JWKS", id="no JSON"),
        pytest.param(b"[]", "is not a JWKS", id="a list"),
        pytest.param(b"{}", "is not a JWKS", id="no keys"),
        pytest.param(b'{"keys": []}', "is not a JWKS", id="an empty list"),
        pytest.param(b'{"keys": [1]}', "is not a JWKS", id="a key that is a number"),
    ],
)
def test_wrong_private_key_files_are_refused(tmp_path: Path, document: bytes | None, words: str) -> None:
    path = tmp_path / "keys.json"
    if document is not None:
        path.write_bytes(document)
    with pytest.raises(ConfigError) as caught:
        mint.read_keys(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        pytest.param({}, "needs an `alg`", id="nothing"),
        pytest.param({"kty": "EC", "alg": "none"}, "needs an `alg`", id="none"),
        pytest.param({"kty": "EC", "alg": "ES256", "kid": "k"}, "`k` cannot sign", id="no numbers"),
        pytest.param(mint.public_jwks([key("ES256")])["keys"][0], "a private key is needed", id="a public EC key"),
        pytest.param(mint.public_jwks([key("RS256")])["keys"][0], "a private key is needed", id="a public RSA key"),
        pytest.param(mint.public_jwks([key("EdDSA")])["keys"][0], "a private key is needed", id="a public Ed25519 key"),
        pytest.param(key("ES256") | {"alg": "RS256"}, "cannot sign", id="another algorithm"),
        pytest.param(key("ES256") | {"d": 7}, "cannot sign", id="a number where text belongs"),
        pytest.param({"kty": "oct", "alg": "HS256"}, "cannot sign", id="a secret without its bytes"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(record: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mint.mint(record, claims())
    assert words in str(caught.value)


def test_a_key_without_kid_makes_tokens_without_kid() -> None:
    record = {name: value for name, value in key("ES256").items() if name != "kid"}
    assert mint.mint(record, claims()).split(".")[0] == mint.mint(record, {}).split(".")[0]
