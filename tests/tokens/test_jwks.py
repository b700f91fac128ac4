"""Keys on the web: what a published set is taken for, and where an issuer's metadata leads."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import discovery
from authz_sidecar.tokens.jwks import Discovered, JwksPage
from authz_sidecar.tokens.keys import parse_published
from authz_sidecar.tokens.mint import public_jwks
from authz_sidecar.tokens.pages import FetchFailed, Outcome, Page
from authz_sidecar.tokens.urls import Url, parse
from tests.tokens.makers import SECRET, UNHURRIED, key
from tests.tokens.provider import Time

ISSUER = "https://idp.example/realms/main"
APPENDED = f"{ISSUER}/.well-known/openid-configuration"
INSERTED = "https://idp.example/.well-known/oauth-authorization-server/realms/main"
INSERTED_OPENID = "https://idp.example/.well-known/openid-configuration/realms/main"


class Pages:
    """A `Get` whose pages a test writes."""

    def __init__(self) -> None:
        self.pages: dict[str, Page | FetchFailed] = {}
        self.asked: list[tuple[str, bool, str]] = []

    async def get(self, url: Url, *, foreign: bool = False, etag: str = "") -> Page:
        self.asked.append((str(url), foreign, etag))
        found = self.pages.get(str(url), FetchFailed(Outcome.BAD_STATUS, f"{url} answered with the status 404"))
        if isinstance(found, FetchFailed):
            raise found
        return found

    def metadata(self, url: str, **changes: Any) -> None:
        document = {"issuer": ISSUER, "jwks_uri": "https://idp.example/keys"} | changes
        self.pages[url] = Page(status=200, headers={}, body=json.dumps(document).encode())

    def jwks(self, url: str, *names: str, **headers: str) -> None:
        body = json.dumps(public_jwks([key(name) for name in names])).encode()
        self.pages[url] = Page(status=200, headers=headers, body=body)

    @property
    def urls(self) -> list[str]:
        return [url for url, _, __ in self.asked]


def discovered(web: Pages, time: Time | None = None) -> Discovered:
    places = discovery.candidates(parse(ISSUER))
    return Discovered(web, issuer=ISSUER, places=places, monotonic=(time or Time()).monotonic)


# What a set is taken for.


def published(*records: Any) -> bytes:
    return json.dumps({"keys": records}).encode()


def record(name: str, **changes: Any) -> dict[str, Any]:
    return dict(public_jwks([key(name)])["keys"][0]) | changes


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(dict(SECRET), id="a shared secret"),
        pytest.param(key("RS256") | {"kid": "private"}, id="a private key"),
        pytest.param(record("RS256", kid="enc", use="enc"), id="a key for encryption"),
        pytest.param(record("ES256", kid="odd", crv="secp256k1"), id="a curve that we do not know"),
        pytest.param(record("RS256", kid="wrong", alg="ES256"), id="an algorithm that does not fit"),
        pytest.param(record("RS256", kid="weak", n="AQAB"), id="a weak key"),
        pytest.param({"kty": "AKP", "kid": "future"}, id="a key type of the future"),
        pytest.param("a string", id="not an object"),
        pytest.param({}, id="an empty object"),
    ],
)
def test_a_key_that_cannot_be_used_is_left_aside_and_said(bad: Any) -> None:
    found = parse_published(published(bad, record("ES256")))
    assert [one.kid for one in found.keys] == ["es256-1"]
    assert len(found.ignored) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no keys"),
        pytest.param(json.dumps(record("ES256")).encode(), id="one JWK and no set"),
        pytest.param(b'{"keys": {}}', id="keys that are no list"),
        pytest.param(b'{"keys": []}', id="an empty set"),
        pytest.param(published(dict(SECRET)), id="a secret alone"),
        pytest.param(b'{"keys": [], "keys": []}', id="duplicate members"),
        pytest.param(published(record("ES256"), record("RS256", kid="es256-1")), id="one kid for two keys"),
        pytest.param(b"[" * 5000, id="deep"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----", id="PEM"),
    ],
)
def test_what_is_no_set_of_usable_keys_is_refused(body: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_published(body)


@UNHURRIED
@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text(max_size=9), st.lists).map(lambda v: json.dumps({"keys": v}).encode())
)
def test_any_bytes_are_a_set_or_refused(body: bytes) -> None:
    with suppress(ConfigError):
        assert parse_published(body).keys


# One page.


async def test_the_second_fetch_asks_whether_the_set_changed() -> None:
    web = Pages()
    web.jwks("https://idp.example/keys", "ES256", etag='"1"')
    source = JwksPage(web, parse("https://idp.example/keys"))
    first = await source.load()
    assert first.keys is not None
    web.pages["https://idp.example/keys"] = Page(status=304, headers={"cache-control": "max-age=900"})
    second = await source.load()
    assert (second.keys, second.unchanged, second.lifetime) == (first.keys, True, 900)
    assert [etag for _, __, etag in web.asked] == ["", '"1"']


async def test_304_to_nobody_who_asked_is_refused() -> None:
    web = Pages()
    web.pages["https://idp.example/keys"] = Page(status=304, headers={})
    with pytest.raises(FetchFailed):
        await JwksPage(web, parse("https://idp.example/keys")).load()


async def test_a_set_that_was_refused_is_asked_for_in_full_again() -> None:
    web = Pages()
    web.pages["https://idp.example/keys"] = Page(status=200, headers={"etag": '"bad"'}, body=b"{")
    source = JwksPage(web, parse("https://idp.example/keys"))
    for _ in range(2):
        with pytest.raises(FetchFailed) as caught:
            await source.load()
        assert caught.value.outcome is Outcome.BAD_CONTENT
    assert [etag for _, __, etag in web.asked] == ["", ""]


# Metadata.


@pytest.mark.parametrize(
    ("issuer", "places"),
    [
        pytest.param(ISSUER, [APPENDED, INSERTED, INSERTED_OPENID], id="with a path"),
        pytest.param(ISSUER + "/", [APPENDED, INSERTED, INSERTED_OPENID], id="with a slash at the end"),
        pytest.param(
            "https://idp.example",
            [
                "https://idp.example/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server",
            ],
            id="without a path",
        ),
    ],
)
def test_the_places_of_metadata(issuer: str, places: list[str]) -> None:
    assert [str(place) for place in discovery.candidates(parse(issuer))] == places


@pytest.mark.parametrize("place", [APPENDED, INSERTED, INSERTED_OPENID])
async def test_metadata_is_found_at_each_place_and_asked_for_there_first_from_then_on(place: str) -> None:
    web, time = Pages(), Time()
    web.metadata(place)
    web.jwks("https://idp.example/keys", "ES256")
    source = discovered(web, time)
    assert (await source.load()).keys
    web.asked.clear()
    time.pass_(86_400)
    assert (await source.load()).keys
    assert web.urls == [place, "https://idp.example/keys"]


async def test_metadata_is_not_asked_for_again_while_it_is_fresh() -> None:
    web = Pages()
    web.metadata(APPENDED)
    web.jwks("https://idp.example/keys", "ES256")
    source = discovered(web)
    await source.load()
    await source.load()
    assert web.urls == [APPENDED, "https://idp.example/keys", "https://idp.example/keys"]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        pytest.param({"issuer": ISSUER + "/"}, Outcome.WRONG_ISSUER, id="a slash more in issuer"),
        pytest.param({"issuer": ISSUER.upper()}, Outcome.WRONG_ISSUER, id="issuer in another case"),
        pytest.param({"issuer": "https://evil.example"}, Outcome.WRONG_ISSUER, id="another issuer"),
        pytest.param({"issuer": None}, Outcome.WRONG_ISSUER, id="no issuer"),
        pytest.param({"issuer": [ISSUER]}, Outcome.WRONG_ISSUER, id="a list of issuers"),
        pytest.param({"jwks_uri": None}, Outcome.BAD_CONTENT, id="no jwks_uri"),
        pytest.param({"jwks_uri": 7}, Outcome.BAD_CONTENT, id="a jwks_uri that is a number"),
        pytest.param({"jwks_uri": "file:///etc/passwd"}, Outcome.BAD_CONTENT, id="a file"),
        pytest.param({"jwks_uri": "https://user@idp.example/"}, Outcome.BAD_CONTENT, id="a user in the URL"),
    ],
)
async def test_metadata_that_could_mislead_is_refused(changes: dict[str, Any], outcome: Outcome) -> None:
    web = Pages()
    web.metadata(APPENDED, **changes)
    with pytest.raises(FetchFailed) as caught:
        await discovered(web).load()
    assert caught.value.outcome is outcome
    assert APPENDED in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{"])
def test_metadata_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(FetchFailed) as caught:
        discovery.jwks_uri(body, ISSUER)
    assert caught.value.outcome is Outcome.BAD_CONTENT


@pytest.mark.parametrize(
    ("uri", "foreign"),
    [
        pytest.param("https://idp.example/keys", False, id="the same origin"),
        pytest.param("https://IDP.example:443/keys", False, id="the same origin, spelled otherwise"),
        pytest.param("https://idp.example:8443/keys", True, id="another port"),
        pytest.param("http://idp.example/keys", True, id="without TLS"),
        pytest.param("https://keys.example/keys", True, id="another host"),
        pytest.param("https://169.254.169.254/keys", True, id="an address"),
    ],
)
async def test_where_metadata_leads_is_foreign_unless_it_is_the_same_origin(uri: str, foreign: bool) -> None:
    web = Pages()
    web.metadata(APPENDED, jwks_uri=uri)
    web.jwks(str(parse(uri)), "ES256")
    await discovered(web).load()
    assert web.asked[-1] == (str(parse(uri)), foreign, "")


async def test_a_host_that_does_not_answer_is_asked_once() -> None:
    web = Pages()
    web.pages[APPENDED] = FetchFailed(Outcome.UNREACHABLE, "gone")
    with pytest.raises(FetchFailed):
        await discovered(web).load()
    assert web.urls == [APPENDED]


async def test_keys_are_fetched_from_where_they_were_while_metadata_cannot_be_read() -> None:
    web, time = Pages(), Time()
    web.metadata(APPENDED)
    web.jwks("https://idp.example/keys", "ES256")
    source = discovered(web, time)
    await source.load()
    web.pages[APPENDED] = FetchFailed(Outcome.TIMEOUT, "slow")
    time.pass_(86_400)
    assert (await source.load()).keys


async def test_metadata_that_turns_to_another_issuer_stops_the_keys() -> None:
    web, time = Pages(), Time()
    web.metadata(APPENDED)
    web.jwks("https://idp.example/keys", "ES256")
    source = discovered(web, time)
    await source.load()
    web.metadata(APPENDED, issuer="https://evil.example")
    time.pass_(86_400)
    with pytest.raises(FetchFailed) as caught:
        await source.load()
    assert caught.value.outcome is Outcome.WRONG_ISSUER


async def test_keys_that_moved_are_found_by_the_metadata() -> None:
    web = Pages()
    web.metadata(APPENDED)
    web.jwks("https://idp.example/keys", "ES256")
    source = discovered(web)
    await source.load()
    del web.pages["https://idp.example/keys"]
    web.metadata(APPENDED, jwks_uri="https://idp.example/new")
    web.jwks("https://idp.example/new", "RS256")
    with pytest.raises(FetchFailed):
        await source.load()
    assert (await source.load()).keys
