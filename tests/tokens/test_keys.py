"""Key files: what is read, what is left aside, and what is refused with the path and what to do."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.algorithms import RSA
from authz_sidecar.tokens.keys import load_keys, parse_keys
from tests.tokens.keyfiles import data, pem, public, small_rsa
from tests.tokens.makers import DROP, SECRET, UNHURRIED, key

MARK = "authz_development"


@pytest.mark.parametrize(
    ("record", "algorithms"),
    [
        pytest.param(public("RS256"), {"RS256"}, id="RSA for one algorithm"),
        pytest.param(public("RS256", alg=DROP), RSA, id="RSA for any RSA algorithm"),
        pytest.param(public("RS256", alg="PS384"), {"PS384"}, id="RSA for PSS"),
        pytest.param(public("ES256", alg=DROP), {"ES256"}, id="P-256 means ES256"),
        pytest.param(public("ES384", alg=DROP), {"ES384"}, id="P-384 means ES384"),
        pytest.param(public("ES512", alg=DROP), {"ES512"}, id="P-521 means ES512"),
        pytest.param(public("EdDSA"), {"EdDSA", "Ed25519"}, id="Ed25519 under its old name"),
        pytest.param(public("Ed25519"), {"EdDSA", "Ed25519"}, id="Ed25519 under its new name"),
        pytest.param(public("EdDSA", alg=DROP), {"EdDSA", "Ed25519"}, id="Ed25519 without alg"),
        pytest.param(public("ES256", use=DROP), {"ES256"}, id="without use"),
        pytest.param(public("ES256", key_ops=["verify"]), {"ES256"}, id="key_ops verify"),
        pytest.param(public("ES256", key_ops=["sign", "verify"]), {"ES256"}, id="key_ops sign and verify"),
        pytest.param(public("ES256", x5t="abc", **{"x5t#S256": "d"}), {"ES256"}, id="members that we do not read"),
        pytest.param(dict(SECRET), {"HS256"}, id="a secret"),
        pytest.param({k: v for k, v in SECRET.items() if k != "alg"}, {"HS256"}, id="a secret means HS256"),
        pytest.param(key("ES256") | {MARK: True}, {"ES256"}, id="a private key for development"),
        pytest.param(key("ES256") | {MARK: True, "key_ops": ["sign"]}, {"ES256"}, id="a private key that signs"),
    ],
)
def test_a_record_decides_what_its_key_may_verify(record: dict[str, Any], algorithms: set[str]) -> None:
    for document in (data(record), json.dumps(record).encode()):
        (found,) = parse_keys(document).keys
        assert (found.algorithms, found.kid) == (algorithms, record["kid"])
        assert found.development is record.get(MARK, False)


def test_of_a_private_key_only_the_public_part_is_kept() -> None:
    (found,) = parse_keys(data(key("ES256") | {MARK: True})).keys
    assert isinstance(found.material, ec.EllipticCurvePublicKey)
    assert "material" not in repr(found)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(public("RS256", use="enc"), "`use` is `enc`", id="for encryption"),
        pytest.param(public("RS256", use="\u0000tls"), None, id="a use that cannot be printed"),
        pytest.param(public("RS256", alg="RSA-OAEP"), "`alg` is `RSA-OAEP`", id="an algorithm for encryption"),
        pytest.param(public("RS256", key_ops=["encrypt"]), "`key_ops`", id="key_ops without verify"),
        pytest.param(public("RS256", key_ops=["sign"]), "`key_ops`", id="a public key that only signs"),
        pytest.param({"kty": "AKP", "kid": "pq"}, "key type `AKP`", id="a key type that we do not know"),
        pytest.param({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, "curve `secp256k1`", id="another curve"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": "AA"}, "curve `X25519`", id="a key for key agreement"),
        pytest.param({"kty": "OKP", "crv": "Ed448", "x": "AA"}, "curve `Ed448`", id="Ed448"),
        pytest.param(SECRET | {"alg": "HS512"}, "`alg` is `HS512`", id="a secret for another algorithm"),
    ],
)
def test_a_key_for_something_else_is_left_aside_and_said(record: dict[str, Any], why: str | None) -> None:
    if why is None:
        with pytest.raises(ConfigError):
            parse_keys(data(record))
        return
    found = parse_keys(data(public("ES256"), record))
    assert [one.kid for one in found.keys] == ["es256-1"]
    assert len(found.ignored) == 1
    assert why in found.ignored[0]
    assert found.ignored[0].startswith("keys[1]")
    with pytest.raises(ConfigError, match="no key that verifies"):
        parse_keys(data(record))


def changed_bits(member: str) -> dict[str, Any]:
    value = public("ES256")[member]
    return public("ES256", **{member: value[:-1] + ("B" if value[-1] != "B" else "C")})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(b"", "is empty", id="an empty file"),
        pytest.param(b" \n\t", "is empty", id="white space"),
        pytest.param(b"hello", "expected a JWKS", id="words"),
        pytest.param(b"\x00\xff" * 20, "expected a JWKS", id="binary"),
        pytest.param(b"\xef\xbb\xbf{}", "byte order mark", id="a byte order mark"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b"{}", "no `kty`", id="an empty object"),
        pytest.param(b'{"keys": {}}', "must be a list", id="keys as an object"),
        pytest.param(b'{"keys": []}', "no key that verifies", id="no keys"),
        pytest.param(b'{"keys": [7]}', "keys[0]: is not a JSON object", id="a key that is a number"),
        pytest.param(data(*[7] * 1001), "at most 1000", id="a thousand and one keys"),
        pytest.param(b'{"keys": [], "keys": []}', "duplicate key", id="keys twice"),
        pytest.param(b'{"kty":"EC","Kty":"oct"}', "only by case", id="kty in two cases"),
        pytest.param(b"{" + b" " * 1_048_576, "larger than", id="a large file"),
        pytest.param(data({"kid": "a"}), "keys[0] (kid `a`): has no `kty`", id="no kty"),
        pytest.param(data(public("ES256", kid=7)), "`kid` must be", id="kid as a number"),
        pytest.param(data(public("ES256", kid=None)), "`kid` must be", id="kid null"),
        pytest.param(data(public("ES256", kid="")), "`kid` must be", id="kid empty"),
        pytest.param(data(public("ES256", kid="a\nb")), "kid `a\\nb`", id="kid with a line end"),
        pytest.param(data(public("ES256", kid="k" * 1025)), "…`", id="kid too long"),
        pytest.param(data(public("ES256", use=7)), "`use` must be", id="use as a number"),
        pytest.param(data(public("ES256", key_ops="verify")), "list of strings", id="key_ops as a string"),
        pytest.param(data(public("ES256", key_ops=[7])), "list of strings", id="key_ops with a number"),
        pytest.param(data(public("ES256", alg="ES384")), "fits `ES256`", id="alg of another curve"),
        pytest.param(data(public("ES256", alg="HS256")), "fits `ES256`", id="a public key for HS256"),
        pytest.param(data(public("RS256", alg="ES256")), "fits `PS256`", id="alg of another kind of key"),
        pytest.param(data(SECRET | {"alg": "RS256"}), "fits `HS256`", id="a secret for RS256"),
        pytest.param(data(public("ES256"), public("ES256")), "stands for 2 keys", id="a kid twice"),
        pytest.param(data(public("ES256"), dict(SECRET)), "only key", id="a secret beside a public key"),
        pytest.param(data(dict(SECRET), SECRET | {"kid": "2"}), "only key", id="two secrets"),
        pytest.param(data(SECRET | {"k": "AAAA"}), "at least 32", id="a short secret"),
        pytest.param(data(SECRET | {"k": ""}), "at least 32", id="an empty secret"),
        pytest.param(data(SECRET | {"k": 7}), "`k`", id="a secret that is a number"),
        pytest.param(data(SECRET | {"k": "é" * 60}), "base64url", id="a secret that is not base64url"),
        pytest.param(data(SECRET | {"k": str(SECRET["k"]) + "=="}), "base64url", id="a secret with padding"),
        pytest.param(data(SECRET | {"k": base64url.encode(pem("rsa")).decode()}), "no secret", id="PEM as a secret"),
        pytest.param(data(SECRET | {"k": base64url.encode(data(public("ES256"))).decode()}), "no secret",
                     id="a JWKS as a secret"),
        pytest.param(data(key("ES256")), "private key", id="a private key"),
        pytest.param(data(key("RS256")), "private key", id="a private RSA key"),
        pytest.param(data(key("ES256") | {MARK: False}), "private key", id="a private key not for development"),
        pytest.param(data(key("ES256") | {MARK: "true"}), "true or false", id="a mark that is a string"),
        pytest.param(data(public("RS256", qi="AA")), "private key", id="one private member"),
        pytest.param(data(small_rsa(1024)), "1024 bits", id="a small RSA key"),
        pytest.param(data(public("RS256", n=base64url.encode(b"\xff" * 2100).decode())), "16800 bits",
                     id="a large RSA key"),
        pytest.param(data(public("RS256", n="A" * 40_000)), "larger than", id="a huge RSA key"),
        pytest.param(data(public("RS256", n=DROP)), "has no `n`", id="RSA without n"),
        pytest.param(data(public("RS256", e=DROP)), "has no `e`", id="RSA without e"),
        pytest.param(data(public("RS256", e="AQ")), "not valid", id="RSA with e = 1"),
        pytest.param(data(public("RS256", e="Ag")), "not valid", id="RSA with e = 2"),
        pytest.param(data(public("RS256", n=65537)), "`n`", id="RSA with n as a number"),
        pytest.param(data(public("ES256", x="!!")), "base64url", id="x that is not base64url"),
        pytest.param(data(public("ES256", x="AA")), "not valid", id="a short x"),
        pytest.param(data(public("ES256", y="A" * 43)), "not valid", id="a point off the curve"),
        pytest.param(data(public("ES256", crv="P-384")), "not valid", id="coordinates of another curve"),
        pytest.param(data(public("ES256", crv="Ed25519")), "not valid", id="a curve of another kind of key"),
        pytest.param(data(public("ES256", crv=DROP)), "has no `crv`", id="no curve"),
        pytest.param(data(public("EdDSA", crv="P-256")), "not valid", id="Ed25519 with another curve"),
        pytest.param(data(public("EdDSA", x="AAAA")), "not valid", id="a short Ed25519 key"),
        pytest.param(pem("private"), "private key", id="a PEM private key"),
        pytest.param(pem("private-old"), "private key", id="a PEM private key of the old form"),
        pytest.param(pem("rsa") + pem("private"), "private key", id="a PEM public and private key"),
        pytest.param(pem("rsa") + pem("ec"), "2 PEM blocks", id="two PEM keys"),
        pytest.param(pem("rsa-1024"), "1024 bits", id="a small PEM key"),
        pytest.param(pem("ed448"), "not supported", id="a PEM key of Ed448"),
        pytest.param(pem("dsa"), "not supported", id="a PEM key of DSA"),
        pytest.param(pem("p256k1"), "not supported", id="a PEM key of another curve"),
        pytest.param(pem("rsa")[:-40], "cannot be read", id="a PEM key cut short"),
        pytest.param(pem("certificate").replace(b"MII", b"XII", 1), "cannot be read", id="a spoilt certificate"),
        pytest.param(b"-----BEGIN X509 CRL-----\nAA\n-----END X509 CRL-----", "`X509 CRL`", id="another PEM block"),
    ],
)  # fmt: skip
def test_a_wrong_key_file_is_refused_with_its_path(tmp_path: Path, document: bytes, words: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(document)
    with pytest.raises(ConfigError) as caught:
        load_keys(path)
    message = str(caught.value)
    assert words in message
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < 1000
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("kind", "kty", "algorithms"),
    [
        pytest.param("rsa", "RSA", RSA, id="an RSA key"),
        pytest.param("rsa-pkcs1", "RSA", RSA, id="an RSA key of the old form"),
        pytest.param("ec", "EC", {"ES256"}, id="an EC key"),
        pytest.param("ed25519", "OKP", {"EdDSA", "Ed25519"}, id="an Ed25519 key"),
        pytest.param("certificate", "EC", {"ES256"}, id="a certificate, whatever its dates"),
    ],
)
def test_a_pem_file_holds_one_public_key(tmp_path: Path, kind: str, kty: str, algorithms: set[str]) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"a note before\n" + pem(kind) + b"\n")
    (found,) = load_keys(path).keys
    assert (found.kid, found.kty, found.algorithms, found.development) == (None, kty, algorithms, False)


@pytest.mark.parametrize("kind", ["absent", "directory", "pipe", "NUL", "no permission"])
def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "keys.json"
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "NUL":
            path = tmp_path / "a\0b"
        case "no permission":
            path = path / "below-a-file"
            path.parent.write_bytes(b"{}")
        case _:
            pass
    with pytest.raises(ConfigError, match="name a JWKS"):
        load_keys(path)


def test_a_set_says_whether_it_is_for_development() -> None:
    assert not parse_keys(data(public("ES256"))).development
    assert parse_keys(data(public("ES256"), public("RS256", **{MARK: True}))).development


def test_a_key_never_verifies_another_algorithm() -> None:
    (found,) = parse_keys(data(public("ES256"))).keys
    assert not found.verifies("HS256", b"", b"")


@UNHURRIED
@given(st.binary(max_size=400))
def test_any_bytes_are_keys_or_refused(document: bytes) -> None:
    with suppress(ConfigError):
        parse_keys(document)


MEMBERS = ["kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y", "k", "d", MARK]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=50), st.lists(st.text(max_size=5), max_size=3),
    st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "P-384", "Ed25519", "sig", "enc", "HS256", "AQAB", "A" * 43]),
)  # fmt: skip


@UNHURRIED
@given(
    st.sampled_from([public("RS256"), public("ES256"), public("EdDSA"), dict(SECRET)]),
    st.dictionaries(st.sampled_from(MEMBERS), VALUES),
    st.sets(st.sampled_from(MEMBERS)),
)
def test_any_record_is_a_key_or_refused(record: dict[str, Any], changes: dict[str, Any], without: set[str]) -> None:
    changed = {name: value for name, value in (record | changes).items() if name not in without}
    with suppress(ConfigError):
        (found,) = parse_keys(data(changed)).keys
        assert found.algorithms


@pytest.mark.filterwarnings("ignore")  # the certificate reader warns of odd certificates before it takes them
@UNHURRIED
@given(st.sampled_from(["rsa", "ec", "ed25519", "certificate"]), st.integers(0), st.binary(min_size=1, max_size=3))
def test_any_changed_pem_file_is_a_key_or_refused(kind: str, at: int, new: bytes) -> None:
    document = pem(kind)
    at %= len(document)
    with suppress(ConfigError):
        parse_keys(document[:at] + new + document[at + len(new) :])
