"""Logging in tells nobody who exists, and lets nobody guess for long."""

import re

import pytest

from authz_sidecar.oauth.limit import network
from authz_sidecar.oauth.people.passwords import Busy, Checked, Cost, Passwords
from authz_sidecar.oauth.people.throttle import ACCOUNT, ADDRESS, PAIR, Throttle
from tests.oauth_people.house import CHEAP, PASSWORD, Browser, Clock, House, gone, told

WRONG = "wrong wrong wrong"


async def test_the_right_password_opens_a_session(browser: Browser) -> None:
    assert "Alice Kim" in (await browser.log_in()).text


@pytest.mark.parametrize("name", [" alice ", "ALICE", "Alice"])
async def test_a_name_is_read_as_people_type_it(browser: Browser, name: str) -> None:
    assert "Alice Kim" in (await browser.log_in(name=name)).text


async def test_a_password_is_one_however_the_keyboard_spells_it(server: House, browser: Browser) -> None:
    await server.accounts.set_password("alice", server.passwords.hash("caf\u00e9 caf\u00e9 caf\u00e9"))
    assert "Alice Kim" in (await browser.log_in(password="cafe\u0301 cafe\u0301 cafe\u0301")).text


async def test_nobody_can_tell_who_exists(server: House) -> None:
    await server.add("carol")
    await server.accounts.set_disabled("carol", True)
    said = set()
    for name, password in (
        ("alice", WRONG),
        ("nobody", WRONG),
        ("carol", PASSWORD),
        ("carol", WRONG),
        ("", WRONG),
        ("x" * 300, WRONG),
        ("nobody", "nobody has this password"),
        ("alice", ""),
        ("alice", "y" * 5_000),
    ):
        async with server.browser() as browser:
            answer = await browser.log_in(name=name, password=password)
            text = answer.text.replace(f'value="{name}"', 'value=""')
            text = re.sub(r'name="csrf" value="\w+"| autofocus', "", text)
            said.add((answer.status_code, text, tuple(sorted(answer.headers.keys() - {"content-length"}))))
    assert len(said) == 1
    assert said.pop()[0] == 422


@pytest.mark.parametrize(
    ("hint", "filled"),
    [
        pytest.param("bob", "bob", id="a name"),
        pytest.param(" Bob@corp.example ", "bob@corp.example", id="an address"),
        pytest.param("call 0800 to unlock", "", id="words"),
        pytest.param("x" * 200, "", id="too long"),
    ],
)
async def test_a_hint_fills_in_a_name_and_nothing_else(browser: Browser, hint: str, filled: str) -> None:
    page = await browser.ask(login_hint=hint)
    assert f'id="name" name="name" value="{filled}"' in page.text


class Counting(Passwords):
    """Counts how many passwords were compared: comparing is what takes the time."""

    compared = 0

    def _check(self, known: str | None, password: str):  # type: ignore[no-untyped-def]
        self.compared += 1
        return super()._check(known, password)


async def test_a_password_is_compared_once_whoever_is_named() -> None:
    # The class of time: each takes one comparison with the same parameters, never none.
    passwords = Counting(CHEAP)
    for known in (passwords.hash(PASSWORD), None, "not a hash at all"):
        before = passwords.compared
        assert not await passwords.check(known, WRONG)
        assert passwords.compared == before + 1


async def test_an_account_is_slowed_down_whether_it_exists_or_not(server: House) -> None:
    answers = []
    for name in ("alice", "nobody"):
        async with server.browser() as browser:
            for _ in range(PAIR.most):
                assert (await browser.log_in(name=name, password=WRONG)).status_code == 422
            answer = await browser.log_in(name=name, password=PASSWORD)
            answers.append((answer.status_code, answer.headers["retry-after"]))
            assert "wait" in answer.text
    assert answers[0] == answers[1] == (429, str(int(PAIR.refill_seconds)))
    server.clock.now += PAIR.refill_seconds
    async with server.browser() as browser:
        assert "Alice Kim" in (await browser.log_in()).text


async def test_who_types_the_right_password_is_never_slowed_down(server: House, browser: Browser) -> None:
    for _ in range(PAIR.most + 3):
        assert "Alice Kim" in (await browser.log_in()).text


async def test_a_hash_of_old_parameters_is_renewed_at_login(server: House, browser: Browser) -> None:
    old = Passwords(Cost(rounds=2, memory_kib=32, lanes=1)).hash(PASSWORD)
    await server.accounts.set_password("alice", old)
    await browser.log_in()
    lock = await server.accounts.lock("alice")
    assert lock is not None
    assert lock.hash != old
    assert "m=64,t=1,p=1" in lock.hash
    assert "Alice Kim" in (await browser.log_in()).text


async def test_a_login_ends_the_session_before_it(server: House, browser: Browser) -> None:
    await browser.log_in()
    before = browser.http.cookies["__Host-authz-session"]
    await browser.log_in()
    after = browser.http.cookies["__Host-authz-session"]
    assert before != after
    async with server.browser() as thief:
        thief.http.cookies.set("__Host-authz-session", before)
        assert (await thief.get("/account")).status_code == 303


async def test_a_session_that_was_given_is_never_taken(server: House, browser: Browser) -> None:
    browser.http.cookies.set("__Host-authz-session", "a" * 43)
    await browser.log_in()
    assert "a" * 43 not in [cookie.value for cookie in browser.http.cookies.jar if "session" in cookie.name][-1:]


async def test_the_database_holds_no_password_and_no_session(server: House, browser: Browser, tmp_path) -> None:  # type: ignore[no-untyped-def]
    answer = await browser.allow(await browser.log_in(await browser.ask()))
    secrets = [PASSWORD, browser.http.cookies["__Host-authz-session"], told(gone(answer))["code"]]
    for file in tmp_path.iterdir():
        data = file.read_bytes()
        assert not [one for one in secrets if one.encode() in data], file


def test_the_parameters_are_those_of_rfc_9106() -> None:
    hashed = Passwords().hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Passwords()._nobody.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert len(Passwords()._nobody) == len(hashed)
    assert Passwords()._check(hashed, PASSWORD) == Checked(right=True)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        pytest.param("x" * 11, "at least 12", id="short"),
        pytest.param("x" * 1_025, "at most 1024", id="long"),
        pytest.param("\u00e9" * 600, "at most 1024", id="long in bytes"),
    ],
)
def test_a_new_password_has_a_length(password: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Passwords(CHEAP).hash(password)


async def test_a_password_that_nobody_could_spell_is_wrong() -> None:
    passwords = Passwords(CHEAP)
    assert not await passwords.check(passwords.hash(PASSWORD), "\ud800" * 12)


async def test_too_many_at_once_are_told_to_come_back(server: House, browser: Browser) -> None:
    server.passwords._waiting = 64
    answer = await browser.log_in()
    assert answer.status_code == 503
    assert "try again in a moment" in answer.text
    with pytest.raises(Busy):
        await server.passwords.check(None, PASSWORD)
    server.passwords._waiting = 0
    assert "Alice Kim" in (await browser.log_in()).text


def test_a_hundred_guesses_at_once_are_a_hundred_guesses() -> None:
    throttle = Throttle(Clock())
    waits = [throttle.take("alice", "192.0.2.1") for _ in range(100)]
    assert waits.count(0) == PAIR.most


@pytest.mark.parametrize(
    ("tries", "most"),
    [
        pytest.param([("alice", f"192.0.2.{n}") for n in range(99)], ACCOUNT.most, id="one account from everywhere"),
        pytest.param([(f"user{n}", "192.0.2.1") for n in range(99)], ADDRESS.most, id="every account from one address"),
        pytest.param([(f"user{n}", f"2001:db8::{n:x}") for n in range(99)], ADDRESS.most, id="one IPv6 network"),
    ],
)
def test_guessing_is_bounded(tries: list[tuple[str, str]], most: int) -> None:
    throttle = Throttle(Clock())
    assert [throttle.take(*one) for one in tries].count(0) == most


def test_attempts_come_back_with_time_one_by_one() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    while not throttle.take("alice", "192.0.2.1"):
        pass
    wait = throttle.take("alice", "192.0.2.1")
    clock.now += wait
    assert throttle.take("alice", "192.0.2.1") == 0
    assert throttle.take("alice", "192.0.2.1") > 0
    clock.now += 86_400
    assert [throttle.take("alice", "192.0.2.1") for _ in range(9)].count(0) == PAIR.most


def test_a_flood_of_names_takes_no_memory_and_frees_nobody() -> None:
    throttle = Throttle(Clock())
    while not throttle.take("alice", "192.0.2.1"):
        pass
    size = len(throttle._counts)
    for n in range(2_000):
        throttle.take(f"user{n}", f"10.{n >> 8}.{n & 255}.1")
    assert len(throttle._counts) == size
    assert throttle.take("alice", "192.0.2.1") > 0


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", id="IPv4"),
        pytest.param("::ffff:192.0.2.7", "192.0.2.7", id="IPv4 in IPv6"),
        pytest.param("2001:db8:1:2:3::4", "2001:db8:1:2::/64", id="IPv6"),
        pytest.param("fe80::1%eth0", "fe80::/64", id="with a zone"),
        pytest.param("a socket", "a socket", id="no address"),
    ],
)
def test_an_address_counts_as_what_one_person_has(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.mark.parametrize("typed", ['"><script>alert(1)</script>', "'><b>", "</style><i>"])
async def test_what_somebody_typed_or_a_client_sent_stays_text(server: House, browser: Browser, typed: str) -> None:
    server.known.rename("assistant", typed)
    asked = await browser.ask(state=typed, login_hint=typed)
    wrong = await browser.log_in(asked, name=typed, password=WRONG)
    consent = await browser.log_in(asked)
    account = await browser.allow(consent)
    for page in (asked, wrong, consent, account, await browser.get("/account")):
        assert typed not in page.text
        assert "<script" not in page.text
        assert page.text.count("</style>") == 1
