"""The ring: which keys verify, for how long, and what makes cached callers go."""

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Reason
from authz_sidecar.tokens.ring import Change, Ring
from tests.tokens.makers import key, keyset
from tests.tokens.provider import Time

OLD, NEW = key("ES256", "old"), key("ES256", "new")


def ring(time: Time, max_age: float = 1_000.0) -> Ring:
    return Ring(clock=time.clock, monotonic=time.monotonic, max_age=max_age)


def reason(found: Ring, kid: str = "old") -> Reason:
    with pytest.raises(TokenError) as caught:
        found.find(kid, "ES256")
    return caught.value.reason


def test_an_empty_ring_knows_no_key() -> None:
    found = ring(Time())
    assert reason(found) is Reason.TOKEN_KEY_UNKNOWN
    assert (found.age, found.good_for, found.keys, found.expire()) == (None, 0.0, (), False)


def test_a_new_key_beside_the_old_one_spoils_nothing() -> None:
    found = ring(Time())
    found.replace(keyset(OLD))
    epoch = found.epoch
    assert found.replace(keyset(OLD, NEW)) == Change(added=("new",))
    assert found.epoch == epoch
    assert found.find("old", "ES256").kid == "old"
    assert found.find("new", "ES256").kid == "new"


def test_a_key_that_the_provider_drops_is_gone_and_so_is_what_it_verified() -> None:
    found = ring(Time())
    found.replace(keyset(OLD, NEW))
    epoch = found.epoch
    assert found.replace(keyset(NEW)) == Change(removed=("old",))
    assert found.epoch == epoch + 1
    assert reason(found) is Reason.TOKEN_KEY_UNKNOWN


def test_another_key_under_the_same_kid_is_another_key() -> None:
    found = ring(Time())
    found.replace(keyset(OLD))
    epoch = found.epoch
    other = key("ES256", "other") | {"kid": "old"}
    assert found.replace(keyset(other)) == Change(added=("old",), removed=("old",))
    assert found.epoch == epoch + 1


def test_the_same_keys_again_change_nothing_but_their_age() -> None:
    time = Time()
    found = ring(time)
    found.replace(keyset(OLD))
    before = (found.epoch, found.version)
    time.pass_(500)
    assert found.age == 500
    assert found.replace(keyset(OLD)) == Change()
    assert ((found.epoch, found.version), found.age) == (before, 0)


def test_keys_that_nobody_confirms_verify_until_the_age_limit_and_no_longer() -> None:
    time = Time()
    found = ring(time)
    found.replace(keyset(OLD))
    time.pass_(999)
    assert found.find("old", "ES256")
    assert found.good_for == 1
    assert not found.expire()
    time.pass_(1)
    assert reason(found) is Reason.TOKEN_KEY_UNKNOWN
    epoch = found.epoch
    assert found.expire()
    assert (found.epoch, found.keys) == (epoch + 1, ())
    assert not found.expire()


def test_confirmed_keys_begin_a_new_age() -> None:
    time = Time()
    found = ring(time)
    found.replace(keyset(OLD))
    time.pass_(999)
    found.replace(keyset(OLD))
    time.pass_(999)
    assert found.find("old", "ES256")


@pytest.mark.parametrize(
    ("wall", "steady", "age"),
    [
        pytest.param(-86_400, 10, 10, id="the wall clock was set back"),
        pytest.param(-86_400, 1_000, 1_000, id="set back, and the limit passed all the same"),
        pytest.param(2_000, 5, 2_000, id="the machine slept, or the wall clock was set forward"),
        pytest.param(-5, -5, 0, id="both went back"),
    ],
)
def test_no_jump_of_a_clock_makes_keys_younger(wall: float, steady: float, age: float) -> None:
    time = Time()
    found = ring(time)
    found.replace(keyset(OLD))
    time.now += wall
    time.steady += steady
    assert found.age == age
    if age >= 1_000:
        assert reason(found) is Reason.TOKEN_KEY_UNKNOWN


def test_a_key_without_kid_has_a_name_too() -> None:
    nameless = {name: value for name, value in OLD.items() if name != "kid"}
    assert ring(Time()).replace(keyset(nameless)) == Change(added=("-",))
