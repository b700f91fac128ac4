"""Prepared signature checks: they say what the JWT library's own say, for every algorithm and every wrong pair."""

import functools
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.tokens.algorithms import ALGORITHMS
from authz_sidecar.tokens.jwk import read
from authz_sidecar.tokens.mint import public_jwks
from authz_sidecar.tokens.signatures import check
from tests.tokens.makers import SECRET, UNHURRIED, key

DATA = b"header.payload"
KEYS: dict[str, dict[str, Any]] = {name: key(name) for name in ALGORITHMS if name != "HS256"} | {"HS256": dict(SECRET)}


@functools.cache
def material(name: str) -> Any:
    record = KEYS[name]
    return read(record if record["kty"] == "oct" else public_jwks([record])["keys"][0]).material


@functools.cache
def signature(name: str) -> bytes:
    algorithm = ALGORITHMS[name]
    return algorithm.sign(DATA, algorithm.from_jwk(KEYS[name]))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_the_key_signed_is_accepted_and_nothing_else(name: str) -> None:
    found = check(material(name), name)
    assert found(DATA, signature(name))
    assert not found(DATA + b"x", signature(name))
    for bad in (b"", signature(name)[:-1], signature(name) + b"\0", bytes(len(signature(name))), b"\xff" * 64):
        assert not found(DATA, bad)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("other", [*ALGORITHMS, "none", "", "RS1", "PS999", "ES256K", "HS512", "Ed448"])
def test_a_key_checks_no_algorithm_that_it_is_not_for(name: str, other: str) -> None:
    fits = KEYS[name]["kty"] == KEYS.get(other, {}).get("kty") and KEYS[name].get("crv") == KEYS[other].get("crv")
    same = other == name or {name, other} == {"EdDSA", "Ed25519"}
    found = check(material(name), other)
    assert found(DATA, signature(name)) is (fits and same)


@UNHURRIED
@given(st.sampled_from([name for name in ALGORITHMS if not name.startswith("HS")]), st.binary(max_size=140), st.data())
def test_the_library_agrees_about_any_bytes(name: str, noise: bytes, data: st.DataObject) -> None:
    genuine = signature(name)
    where = data.draw(st.integers(0, len(genuine) - 1))
    tampered = genuine[:where] + noise[:3] + genuine[where + len(noise[:3]) :]
    for candidate in (noise, tampered):
        try:
            theirs = ALGORITHMS[name].verify(DATA, material(name), candidate)
        except Exception:  # noqa: BLE001 - whatever it raises is a no
            theirs = False
        assert check(material(name), name)(DATA, candidate) is theirs


@pytest.mark.parametrize("salt", [0, 20, PSS.MAX_LENGTH])
def test_a_salt_is_as_long_as_the_hash(salt: int) -> None:
    private = ALGORITHMS["PS256"].from_jwk(KEYS["PS256"])
    odd = private.sign(DATA, PSS(mgf=MGF1(SHA256()), salt_length=salt), SHA256())
    assert not check(material("PS256"), "PS256")(DATA, odd)


def test_a_key_of_another_curve_is_not_for_the_algorithm_whatever_hash_it_signed_with() -> None:
    private = ALGORITHMS["ES384"].from_jwk(KEYS["ES384"])
    r, s = decode_dss_signature(private.sign(DATA, ECDSA(SHA256())))
    assert not check(material("ES384"), "ES256")(DATA, r.to_bytes(48, "big") + s.to_bytes(48, "big"))


@pytest.mark.parametrize("name", ["ES256", "ES384", "ES512"])
def test_a_signature_has_one_spelling(name: str) -> None:
    whole = signature(name)
    half = len(whole) // 2
    assert not check(material(name), name)(DATA, whole[:half] + b"\0" + whole[half:])
