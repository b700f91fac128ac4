"""The memory of verified tokens: what it may remember, for whom, and for how long."""

import asyncio

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Principal, RawToken, Reason, Server
from authz_sidecar.tokens import cache
from authz_sidecar.tokens.cache import Verified, VerifiedTokens
from authz_sidecar.tokens.keyset import KeySet
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import NOW, OTHER_SERVER, SERVER, Clock, issuer, token


async def reason(verifier: JwtVerifier, text: str, server: Server = SERVER) -> Reason:
    with pytest.raises(TokenError) as caught:
        await verifier.verify(RawToken(text), server)
    return caught.value.reason


async def test_a_verified_token_is_remembered() -> None:
    verifier = JwtVerifier([issuer()], clock=Clock())
    text = token()
    first = await verifier.verify(RawToken(text), SERVER)
    assert await verifier.verify(RawToken(text), SERVER) is first


async def test_forgetting_means_verifying_anew() -> None:
    verifier = JwtVerifier([issuer()], clock=Clock())
    text = token()
    first = await verifier.verify(RawToken(text), SERVER)
    verifier.forget()
    again = await verifier.verify(RawToken(text), SERVER)
    assert again == first
    assert again is not first


async def test_a_tampered_token_with_the_same_signature_is_not_found() -> None:
    verifier = JwtVerifier([issuer()], clock=Clock())
    text = token(jti="same")
    await verifier.verify(RawToken(text), SERVER)
    header, _, signature = text.split(".")
    payload = token(jti="same", sub="root").split(".")[1]
    assert await reason(verifier, f"{header}.{payload}.{signature}") is Reason.TOKEN_SIGNATURE_INVALID


async def test_a_token_for_one_server_does_not_open_another() -> None:
    verifier = JwtVerifier([issuer()], clock=Clock())
    text = token()
    await verifier.verify(RawToken(text), SERVER)
    assert await reason(verifier, text, OTHER_SERVER) is Reason.TOKEN_AUDIENCE_MISMATCH
    renamed = Server(name=SERVER.name, audience=OTHER_SERVER.audience)
    assert await reason(verifier, text, renamed) is Reason.TOKEN_AUDIENCE_MISMATCH


async def test_a_remembered_token_ends_with_its_exp() -> None:
    clock = Clock()
    verifier = JwtVerifier([issuer()], clock=clock)
    text = token(exp=NOW + 60)
    who = await verifier.verify(RawToken(text), SERVER)
    clock.now = NOW + 89.9
    assert await verifier.verify(RawToken(text), SERVER) is who
    clock.now = NOW + 90
    assert await reason(verifier, text) is Reason.TOKEN_EXPIRED


async def test_a_remembered_token_does_not_count_before_its_nbf_when_the_clock_is_set_back() -> None:
    clock = Clock()
    verifier = JwtVerifier([issuer()], clock=clock)
    text = token(nbf=NOW)
    await verifier.verify(RawToken(text), SERVER)
    clock.now = NOW - 31
    assert await reason(verifier, text) is Reason.TOKEN_NOT_YET_VALID


async def test_a_failure_is_not_remembered() -> None:
    clock = Clock(NOW - 60)
    verifier = JwtVerifier([issuer()], clock=clock)
    text = token(iat=NOW)
    assert await reason(verifier, text) is Reason.TOKEN_NOT_YET_VALID
    clock.now = NOW
    assert await verifier.verify(RawToken(text), SERVER)


async def test_without_room_every_token_is_verified_anew() -> None:
    verifier = JwtVerifier([issuer()], clock=Clock(), cache_size=0)
    text = token()
    first = await verifier.verify(RawToken(text), SERVER)
    assert await verifier.verify(RawToken(text), SERVER) is not first


def principal(name: str) -> Principal:
    return Principal(issuer="i", subject=name, user=f"user:{name}", expires_at=NOW)


def test_what_is_known_for_longest_goes_first_and_the_bound_holds() -> None:
    tokens = VerifiedTokens(3)
    names = {letter: cache.name(letter, SERVER) for letter in "abcdef"}
    for letter in "abcad":
        tokens.keep(names[letter], Verified(0, NOW, principal(letter)))
    found = {letter for letter in "abcdef" if tokens.find(names[letter], 1) is not None}
    assert (found, len(tokens)) == ({"a", "c", "d"}, 3)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        pytest.param("b", Server(name="s", audience="a"), id="another token"),
        pytest.param("a", Server(name="t", audience="a"), id="another server"),
        pytest.param("a", Server(name="s", audience="b"), id="another audience"),
        pytest.param("\0a", Server(name="s", audience="a"), id="a NUL at its beginning"),
        pytest.param("", Server(name="s", audience="a\0a"), id="an audience that holds the rest"),
        pytest.param("a\0a", Server(name="s", audience=""), id="a token that holds the audience"),
    ],
)
def test_every_token_for_every_server_has_its_own_name(text: str, server: Server) -> None:
    assert cache.name(text, server) != cache.name("a", Server(name="s", audience="a"))


def test_what_ended_makes_room_when_it_is_asked_for() -> None:
    tokens = VerifiedTokens(3)
    tokens.keep(cache.name("a", SERVER), Verified(0, NOW, principal("a")))
    assert tokens.find(cache.name("a", SERVER), NOW) is None
    assert len(tokens) == 0


async def test_interleaved_users_never_get_one_anothers_principal() -> None:
    verifier = JwtVerifier([issuer(roles_claim="roles")], clock=Clock(), cache_size=7)
    users = [f"user-{n}" for n in range(20)]
    texts = {user: token(sub=user, roles=[f"role-of-{user}"], jti="same for all") for user in users}

    async def ask(user: str) -> None:
        for _ in range(5):
            who = await verifier.verify(RawToken(texts[user]), SERVER)
            assert (who.subject, who.groups) == (user, {f"role:role-of-{user}"})
            await asyncio.sleep(0)

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        for user in users:
            tasks.create_task(ask(user))


async def test_two_verifiers_share_nothing() -> None:
    text = token()
    assert await JwtVerifier([issuer()], clock=Clock()).verify(RawToken(text), SERVER)
    stricter = JwtVerifier([issuer(keys=KeySet())], clock=Clock())
    assert await reason(stricter, text) is Reason.TOKEN_KEY_UNKNOWN
