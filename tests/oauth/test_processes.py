"""Real processes: what is revoked here is refused there, and a crash loses nothing that was answered."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from authz_sidecar import configfile
from authz_sidecar.app import authserver
from authz_sidecar.oauth.core import Core
from authz_sidecar.oauth.pkce import generate_pkce_pair
from tests.oauth.town import AUDIENCE, Town, town

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

T = TypeVar("T")
Code = tuple[str, str]


@pytest.fixture(name="place")
def _place() -> Iterator[Town]:
    with town() as made:
        yield made


def within(place: Town, work: Callable[[Core], Awaitable[T]]) -> T:
    """Do something with the same database and keys, from a process of its own: this one."""

    async def run() -> T:
        async with authserver.opened(configfile.load(place.config)) as (core, _):
            return await work(core)

    return asyncio.run(run())


async def _code(core: Core) -> Code:
    verifier, challenge = generate_pkce_pair()
    asked = {
        "response_type": "code",
        "client_id": "app",
        "resource": AUDIENCE,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    request = await core.authorizations.read(asked.items())
    location = await core.authorizations.issue_code(request, "alice", request.scopes, auth_time=time.time())
    return parse_qs(urlsplit(location).query)["code"][0], verifier


def _redeem(place: Town, code: Code) -> httpx2.Response:
    form = {"grant_type": "authorization_code", "client_id": "app", "code": code[0], "code_verifier": code[1]}
    return httpx2.post(f"{place.url}/token", data=form, timeout=10)


def _refresh(place: Town, token: str) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": token}
    return httpx2.post(f"{place.url}/token", data=form, timeout=10)


def test_what_is_revoked_here_is_refused_there_at_the_next_check(place: Town) -> None:
    with place.oauth():
        codes = within(place, lambda core: asyncio.gather(*(_code(core) for _ in range(3))))
        with place.sidecar():
            tokens = [_redeem(place, code).json() for code in codes]
            assert {place.check(told["access_token"]) for told in tokens} == {"allowed_by_rule"}
            replayed, revoked, later = tokens
            assert _redeem(place, codes[0]).status_code == 400
            assert place.check(replayed["access_token"]) == "token_revoked"
            form = {"client_id": "app", "token": revoked["refresh_token"]}
            assert httpx2.post(f"{place.url}/revoke", data=form, timeout=10).status_code == 200
            assert place.check(revoked["access_token"]) == "token_revoked"
            assert place.check(later["access_token"]) == "allowed_by_rule"
        # While nobody listens, it is kept; and told as soon as somebody does.
        successor = _refresh(place, later["refresh_token"]).json()
        assert _refresh(place, later["refresh_token"]).status_code == 400
        with place.sidecar():
            place.until(lambda: place.check(successor["access_token"]) == "token_revoked")
            assert place.check(later["access_token"]) == "token_revoked"
            assert place.check(replayed["access_token"]) == "token_revoked"


def test_a_crash_loses_no_grant_and_resurrects_none(place: Town) -> None:
    answered: dict[Code, str] = {}

    async def hammer(codes: list[Code], kill: Callable[[], None]) -> None:
        async with httpx2.AsyncClient(timeout=10) as http:

            async def one(code: Code) -> None:
                form = {"grant_type": "authorization_code", "client_id": "app", "code": code[0]}
                with suppress(httpx2.HTTPError):
                    told = await http.post(f"{place.url}/token", data={**form, "code_verifier": code[1]})
                    if told.status_code == 200:
                        answered[code] = told.json()["refresh_token"]
                if len(answered) == 10:
                    kill()

            await asyncio.gather(*map(one, codes))

    async def made(core: Core) -> list[Code]:
        return [await _code(core) for _ in range(40)]

    with place.oauth() as server:
        codes = within(place, made)
        asyncio.run(hammer(codes, lambda: server.send_signal(signal.SIGKILL)))
        assert server.wait(10) == -signal.SIGKILL
    assert len(answered) >= 10
    with place.oauth():
        for code in codes:
            again = _redeem(place, code)
            if code in answered:
                # What was answered is spent for good; and coming again with it has revoked what it gave.
                assert again.json()["error"] == "invalid_grant"
                assert _refresh(place, answered[code]).json()["error"] == "invalid_grant"
            elif again.status_code == 200:
                assert _refresh(place, again.json()["refresh_token"]).status_code == 200


def test_a_crash_forgets_no_refresh_token_that_was_given_out(place: Town) -> None:
    with place.oauth() as server:
        codes = within(place, lambda core: asyncio.gather(*(_code(core) for _ in range(3))))
        held = [_redeem(place, code).json()["refresh_token"] for code in codes]
        held = [_refresh(place, token).json()["refresh_token"] for token in held]
        server.send_signal(signal.SIGKILL)
        server.wait(10)
    with place.oauth():
        assert [_refresh(place, token).status_code for token in held] == [200, 200, 200]


def test_nothing_secret_is_at_rest_or_in_a_log(place: Town) -> None:
    with place.oauth(), place.sidecar():
        code = within(place, _code)
        told = _redeem(place, code).json()
        assert _redeem(place, code).status_code == 400
        assert place.check(told["access_token"]) == "token_revoked"
    secrets = [code[0], code[1], told["access_token"], told["access_token"].split(".")[2], told["refresh_token"]]
    for path in place.home.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert [one for one in secrets if one.encode() in found] == [], path
    keys = place.home / "state/oauth/keys/signing-keys.json"
    assert keys.stat().st_mode & 0o077 == 0
    assert (place.home / "state/oauth").stat().st_mode & 0o077 == 0
    assert (place.home / "state/oauth/oauth.db").stat().st_mode & 0o077 == 0
