"""Accounts are made and changed by whoever runs the server, and consents are kept beside them."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth.client import Client, Origin
from authz_sidecar.oauth.clients import Registry
from authz_sidecar.oauth.people.accounts import AccountProblem
from authz_sidecar.oauth.people.consents import Asked, Consents
from authz_sidecar.oauth.people.passwords import Passwords
from authz_sidecar.oauth.people.seed import seed
from authz_sidecar.oauth.people.tables import metadata
from authz_sidecar.oauth.settings import Settings
from tests.oauth_people.house import CHEAP, PASSWORD, Browser, Clock, House

ASKED = Asked(account="alice", client_id="c", resource="https://ops.example/mcp", place="app.example")


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        pytest.param("alice", {}, "already", id="a name that is taken"),
        pytest.param("Alice", {}, "already", id="the same in capitals"),
        pytest.param("", {}, "no account name", id="no name"),
        pytest.param("a b", {}, "no account name", id="a space"),
        pytest.param("role:admin", {}, "no account name", id="a prefix of the policy"),
        pytest.param("-x", {}, "no account name", id="like an option"),
        pytest.param("x" * 65, {}, "no account name", id="too long"),
        pytest.param("аlice", {}, "no account name", id="a Cyrillic letter"),
        pytest.param("bob", {"roles": ["a b"]}, "no role", id="a role with a space"),
        pytest.param("bob", {"groups": [""]}, "no role or group", id="an empty group"),
        pytest.param("bob", {"shown": "x\u202ey"}, "printable", id="a shown name that turns letters"),
        pytest.param("bob", {"shown": "x" * 129}, "128", id="a shown name that is too long"),
    ],
)
async def test_an_account_that_nobody_could_name_is_refused(
    server: House, name: str, more: dict[str, object], said: str
) -> None:
    with pytest.raises(AccountProblem, match=said):
        await server.accounts.add(name, "hash", **more)  # type: ignore[arg-type]


async def test_nobody_is_called_like_a_client(server: House) -> None:
    registry = Registry(store=server.store, settings=server.settings, clock=server.clock)
    await registry.add(Client(id="nightly", origin=Origin.CONFIGURED))
    with pytest.raises(AccountProblem, match="is the id of a client"):
        await server.add("nightly")


async def test_accounts_are_listed_with_what_they_carry(server: House) -> None:
    await server.add("bob", roles=["b", "a", "a"], groups=["g"])
    alice, bob = await server.accounts.all()
    assert (alice.name, alice.title, alice.roles) == ("alice", "Alice Kim", ("support",))
    assert (bob.title, bob.roles, bob.groups, bob.disabled) == ("bob", ("a", "b"), ("g",), False)


@pytest.mark.parametrize(
    ("change", "value"), [("set_password", "x"), ("set_disabled", True), ("set_roles", []), ("set_groups", [])]
)
async def test_nobody_is_changed_who_is_not_there(server: House, change: str, value: object) -> None:
    with pytest.raises(AccountProblem, match="there is no account `nobody`"):
        await getattr(server.accounts, change)("nobody", value)


async def test_an_account_can_be_let_in_again(server: House, browser: Browser) -> None:
    await server.accounts.set_disabled("alice", True)
    await server.accounts.set_disabled(" ALICE ", False)
    assert "Alice Kim" in (await browser.log_in()).text


async def test_a_password_that_changed_meanwhile_is_not_put_back(server: House) -> None:
    await server.accounts.set_password("alice", "new")
    await server.accounts.rehash("alice", "old", "rehashed")
    lock = await server.accounts.lock("alice")
    assert lock is not None
    assert lock.hash == "new"


async def test_a_consent_covers_what_was_agreed_to_and_no_more(server: House) -> None:
    consents = Consents(server.store, server.clock)
    assert await consents.scopes(ASKED) is None
    await consents.remember(ASKED, ["a"], client_name="C" * 300)
    await consents.remember(ASKED, ["b"], client_name="C")
    assert await consents.scopes(ASKED) == {"a", "b"}
    for part in ("client_id", "resource", "place", "account"):
        names = {name: getattr(ASKED, name) for name in ("account", "client_id", "resource", "place")}
        assert await consents.scopes(Asked(**names | {part: "other"})) is None
    (found,) = await consents.of("alice")
    assert (found.asked, found.client_name, found.scopes) == (ASKED, "C", ("a", "b"))
    await consents.forget("alice", "c")
    assert await consents.scopes(ASKED) is None


async def test_two_parts_of_a_question_never_run_together(server: House) -> None:
    consents = Consents(server.store, server.clock)
    await consents.remember(Asked(account="alice", client_id="ab", resource="c", place=""), ["s"], client_name="")
    assert await consents.scopes(Asked(account="alice", client_id="a", resource="bc", place="")) is None


async def test_two_tabs_that_agree_at_once_both_count(server: House) -> None:
    consents = Consents(server.store, server.clock)
    await asyncio.gather(*(consents.remember(ASKED, [scope], client_name="") for scope in "abc"))
    assert await consents.scopes(ASKED) == {"a", "b", "c"}


async def test_the_migrations_make_the_tables_that_the_code_names(server: House) -> None:
    async with server.store.read() as db:
        found = await db.run_sync(lambda one: compare_metadata(MigrationContext.configure(one), metadata))
    assert [change for change in found if "oauth_version" not in repr(change)] == []


def _settings(development: bool = True) -> Settings:
    from tests.oauth_people.house import READ, Resource

    resources = (Resource(uri="https://ops.example/mcp", scopes=(READ,)),)
    return Settings(issuer="http://127.0.0.1:9", resources=resources, development=development)


async def _seed(server: House, *users: dict[str, object], development: bool = True) -> None:
    await seed(server.store, _settings(development), users, clock=Clock(), passwords=Passwords(CHEAP))


async def test_a_seed_makes_accounts_once(server: House, browser: Browser) -> None:
    bob: dict[str, object] = {"name": "bob", "shown": "Bob", "password": PASSWORD, "roles": ["support"]}
    await _seed(server, bob)
    await _seed(server, bob | {"password": "another password", "shown": "Robert"})
    assert "Bob" in (await browser.log_in(name="bob")).text


@pytest.mark.parametrize(
    ("user", "said"),
    [
        pytest.param({"name": "bob", "pasword": "x"}, "unknown key `pasword`", id="a slip"),
        pytest.param({"name": 1, "password": PASSWORD}, "`name` is not a text", id="a number"),
        pytest.param({"name": "bob", "password": "short"}, "at least 12", id="a short password"),
        pytest.param({"name": "bob"}, "at least 12", id="no password"),
        pytest.param({"name": "b b", "password": PASSWORD}, "no account name", id="a name that is none"),
        pytest.param({"name": "bob", "password": PASSWORD, "roles": "x"}, "not a list", id="roles that are no list"),
        pytest.param({"name": "bob", "password": PASSWORD, "groups": [1]}, "not a list", id="groups that are no texts"),
    ],
)
async def test_a_seed_that_cannot_be_meant_is_refused(server: House, user: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        await _seed(server, {"name": "carol", "password": PASSWORD}, user)
    assert "users[2]" in str(refused.value)


async def test_passwords_in_a_file_are_for_development(server: House) -> None:
    with pytest.raises(ConfigError, match="development"):
        await _seed(server, {"name": "bob", "password": PASSWORD}, development=False)
    await _seed(server, development=False)
