"""People are kept in a real PostgreSQL as they are in a file."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from authz_sidecar.oauth.people.consents import Asked, Consents
from tests.database.stores import Cluster, cluster
from tests.oauth_people.house import Browser, House, gone, house, told

pytestmark = pytest.mark.postgres

_numbers = count(1)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
async def server(postgresql: Cluster, tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, database=postgresql.fresh(f"people{next(_numbers)}")) as made:
        yield made


async def test_the_whole_circle(server: House, browser: Browser) -> None:
    answer = told(gone(await browser.allow(await browser.log_in(await browser.ask()))))
    assert "code" in answer
    assert (await browser.ask()).status_code == 303
    page = await browser.send(await browser.get("/account"), "/account/withdraw", client="assistant")
    assert "Access was withdrawn" in page.text
    assert await server.grants.of("alice") == ()
    await server.accounts.set_roles("alice", ["lead"])
    await server.accounts.set_disabled("alice", True)
    assert (await browser.get("/account")).status_code == 303


async def test_tabs_that_agree_at_once_all_count(server: House) -> None:
    consents = Consents(server.store, server.clock)
    asked = Asked(account="alice", client_id="c" * 2_048, resource="r" * 2_048, place="p")
    await asyncio.gather(*(consents.remember(asked, [scope], client_name="") for scope in "abcdef"))
    assert await consents.scopes(asked) == set("abcdef")


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "x" * 5_000])
async def test_a_name_that_no_database_takes_is_nobody(server: House, name: str) -> None:
    assert await server.accounts.lock(name) is None
