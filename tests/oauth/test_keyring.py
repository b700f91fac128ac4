"""The keys that tokens are signed with."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import keyring
from authz_sidecar.oauth.keyring import Keyring
from tests.oauth.world import ISSUER, Time

_CLAIMS = {"iss": ISSUER, "aud": "x", "sub": "alice", "client_id": "app", "jti": "j"}


def _token(ring: Keyring, now: Time, **changes: object) -> str:
    return ring.sign(_CLAIMS | {"iat": now(), "exp": now() + 600} | changes)


def _kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


@pytest.mark.parametrize("algorithm", keyring.ALGORITHMS)
def test_a_key_signs_and_its_public_half_verifies(tmp_path: Path, algorithm: str) -> None:
    now = Time()
    kid = keyring.generate(tmp_path / "keys", algorithm=algorithm, now=now())
    ring = Keyring(tmp_path / "keys", clock=now)
    token = _token(ring, now)
    (public,) = ring.jwks()["keys"]
    assert (public["kid"], public["alg"], public["use"]) == (kid, algorithm, "sig")
    assert not {"d", "p", "q", "dp", "dq", "qi", "iat", "nbf", "exp"} & set(public)
    assert jwt.decode(
        token,
        jwt.PyJWK(public),
        algorithms=[algorithm],
        audience="x",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert ring.read(token, issuer=ISSUER) is not None
    assert ring.algorithms == (algorithm,)
    assert (tmp_path / "keys/signing-keys.json").stat().st_mode & 0o077 == 0


def test_a_rotation_overlaps_on_both_sides(tmp_path: Path) -> None:
    now, keys = Time(), tmp_path / "keys"
    first = keyring.generate(keys, algorithm="ES256", now=now())
    ring = Keyring(keys, clock=now)
    old = _token(ring, now)
    second = keyring.rotate(keys, algorithm=None, now=now(), ahead=300, overlap=1_200)
    assert {key["kid"] for key in ring.jwks()["keys"]} == {first, second}
    assert _kid(_token(ring, now)) == first
    with pytest.raises(ConfigError, match="not begun"):
        keyring.rotate(keys, algorithm=None, now=now(), ahead=300, overlap=1_200)
    now.now += 301
    assert _kid(_token(ring, now)) == second
    assert ring.read(old, issuer=ISSUER) is not None
    assert [(one.kid, one.until is None) for one in ring.keys] == [(second, True), (first, False)]
    now.now += 1_200
    assert {key["kid"] for key in ring.jwks()["keys"]} == {second}
    assert ring.read(old, issuer=ISSUER) is None
    third = keyring.rotate(keys, algorithm="EdDSA", now=now(), ahead=0, overlap=1_200)
    assert _kid(_token(ring, now)) == third
    assert [one.kid for one in ring.keys] == [third, second]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://other.example"}, id="of another issuer"),
        pytest.param({"exp": 1}, id="over"),
        pytest.param({"jti": None}, id="without a name"),
    ],
)
def test_a_token_that_is_not_ours_or_over_is_not_read(tmp_path: Path, changes: dict[str, object]) -> None:
    now = Time()
    keyring.generate(tmp_path, algorithm="ES256", now=now())
    ring = Keyring(tmp_path, clock=now)
    assert ring.read(_token(ring, now, **changes), issuer=ISSUER) is None


def test_a_token_of_another_kind_or_key_is_not_read(tmp_path: Path) -> None:
    now = Time()
    keyring.generate(tmp_path / "a", algorithm="ES256", now=now())
    keyring.generate(tmp_path / "b", algorithm="ES256", now=now())
    ours, other = Keyring(tmp_path / "a", clock=now), Keyring(tmp_path / "b", clock=now)
    claims = _CLAIMS | {"iat": now(), "exp": now() + 600}
    forged = jwt.encode(
        claims,
        jwt.PyJWK(json.loads((tmp_path / "b/signing-keys.json").read_text())["keys"][0]).key,
        algorithm="ES256",
        headers={"typ": "at+jwt", "kid": ours.keys[0].kid},
    )
    for token in (_token(other, now), ours.sign(claims, typ="JWT"), forged, "", "a.b.c", "x" * 20_000):
        assert ours.read(token, issuer=ISSUER) is None


def test_keys_that_vanish_go_on_and_broken_ones_are_said(tmp_path: Path) -> None:
    now = Time()
    keyring.generate(tmp_path, algorithm="ES256", now=now())
    path = tmp_path / "signing-keys.json"
    ring = Keyring(tmp_path, clock=now)
    with pytest.raises(ConfigError, match="exists already"):
        keyring.generate(tmp_path, algorithm="ES256", now=now())
    path.unlink()
    assert _token(ring, now)
    for action in (
        lambda: Keyring(tmp_path, clock=now),
        lambda: keyring.rotate(tmp_path, algorithm=None, now=now(), ahead=0, overlap=0),
    ):
        with pytest.raises(ConfigError, match="oauth key generate"):
            action()
    for broken in ("", "{}", '{"keys":[]}', '{"keys":[{"kty":"EC"}]}', "[1]"):
        path.write_text(broken)
        with pytest.raises(ConfigError, match="not a ring"):
            Keyring(tmp_path, clock=now)


def test_a_ring_that_somebody_breaks_while_we_run_changes_nothing(tmp_path: Path) -> None:
    now = Time()
    keyring.generate(tmp_path, algorithm="ES256", now=now())
    path = tmp_path / "signing-keys.json"
    ring, whole = Keyring(tmp_path, clock=now), path.read_bytes()
    path.write_text('{"keys": [')
    assert ring.read(_token(ring, now), issuer=ISSUER)
    path.write_bytes(whole)
    keyring.rotate(tmp_path, algorithm=None, now=now(), ahead=0, overlap=60)
    assert len(ring.keys) == 2


def test_no_key_is_made_for_an_unknown_algorithm(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HS256"):
        keyring.generate(tmp_path, algorithm="HS256", now=0.0)


def test_of_many_who_begin_at_once_one_makes_the_first_key(tmp_path: Path) -> None:
    now, directory = Time(), tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keyring.ensure(directory, algorithm="ES256", now=now()), range(24)))
    assert len(Keyring(directory, clock=now).keys) == 1
    with pytest.raises(ConfigError, match="HS256"):
        keyring.ensure(tmp_path / "other", algorithm="HS256", now=now())


def test_of_many_who_rotate_at_once_nobody_loses_a_key(tmp_path: Path) -> None:
    now = Time()
    keyring.generate(tmp_path, algorithm="ES256", now=now())
    (tmp_path / "signing-keys.json.new").write_text("of a writer that died")
    with ThreadPoolExecutor(8) as pool:
        made = set(
            pool.map(lambda _: keyring.rotate(tmp_path, algorithm=None, now=now(), ahead=0, overlap=60), range(16))
        )
    assert made < {one.kid for one in Keyring(tmp_path, clock=now).keys}
    assert [path.name for path in tmp_path.iterdir()] == ["signing-keys.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_not_ours_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot write"):
        keyring.generate(tmp_path, algorithm="ES256", now=0.0)


def test_a_key_for_development_says_so(tmp_path: Path) -> None:
    now = Time()
    keyring.generate(tmp_path, algorithm="ES256", now=now(), development=True)
    keyring.rotate(tmp_path, algorithm=None, now=now(), ahead=0, overlap=600)
    assert [key["authz_development"] for key in Keyring(tmp_path, clock=now).jwks()["keys"]] == [True, True]
