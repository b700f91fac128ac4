"""The small parts: PKCE, redirect URIs, secrets, limits, settings."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import entry, opaque, redirects
from authz_sidecar.oauth.client import Proof
from authz_sidecar.oauth.flow_assertion import JWT_BEARER
from authz_sidecar.oauth.limit import Limit
from authz_sidecar.oauth.pkce import challenge_of, generate_pkce_pair, is_challenge, verify_pkce
from authz_sidecar.oauth.redirects import RedirectError
from authz_sidecar.oauth.settings import Resource, Scope, Settings, canonical
from authz_sidecar.oauth.store import Store
from tests.oauth.world import Time

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
UNRESERVED = string.ascii_letters + string.digits + "-._~"


def test_the_vectors_of_rfc_7636_hold() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE
    assert verify_pkce(VERIFIER, CHALLENGE)


def test_a_pair_belongs_together_and_to_no_other() -> None:
    pairs = [generate_pkce_pair() for _ in range(50)]
    assert len({verifier for verifier, _ in pairs}) == 50
    for verifier, challenge in pairs:
        assert 43 <= len(verifier) <= 128
        assert set(verifier) <= set(UNRESERVED)
        assert [other for _, other in pairs if verify_pkce(verifier, other)] == [challenge]


@given(st.text(UNRESERVED, min_size=43, max_size=128))
def test_every_verifier_has_one_challenge(verifier: str) -> None:
    challenge = challenge_of(verifier)
    assert is_challenge(challenge)
    assert verify_pkce(verifier, challenge)
    assert not verify_pkce(verifier, challenge[::-1]) or challenge == challenge[::-1]


@given(st.text(max_size=140), st.text(max_size=60))
def test_any_text_is_refused_and_never_raises(verifier: str, challenge: str) -> None:
    assert not verify_pkce(verifier, challenge)
    assert not verify_pkce(verifier, CHALLENGE) or verifier == VERIFIER


@pytest.mark.parametrize("verifier", ["", "x" * 42, "x" * 129, "x" * 42 + "ä", "x" * 43 + "\n", "x" * 42 + "="])
def test_what_is_no_verifier_has_no_challenge(verifier: str) -> None:
    with pytest.raises(ValueError, match="43 to 128"):
        challenge_of(verifier)
    assert not verify_pkce(verifier, CHALLENGE)


def test_a_plain_challenge_is_none() -> None:
    assert not verify_pkce(VERIFIER, VERIFIER)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback",
        "https://app.example:8443/cb?x=1",
        "https://[2001:db8::1]/cb",
        "http://127.0.0.1:1234/cb",
        "http://localhost/cb",
        "http://[::1]:9/cb",
        "com.example.app:/callback",
        "com.example.app:callback",
    ],
)
def test_a_good_redirect_uri_may_be_registered(uri: str) -> None:
    assert redirects.check(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "callback",
        "//app.example/cb",
        "http://app.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "https://u:p@app.example/cb",
        "https://app.example/cb#fragment",
        "https://app.example/cb#",
        "https://APP.example/cb",
        "https:///cb",
        "https://-.example/cb",
        "https://app.example:99999/cb",
        "https://[::1/cb",
        "https://app.example/a/../cb",
        "https://app.example/a/%2E%2e/cb",
        "https://app.example\\@evil.example/cb",
        "https://app.example/c b",
        "https://app.example/cb\n",
        "https://app.example/<script>",
        'https://app.example/"',
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://x.example",
        "myapp://callback",
        "com.example.app://host/callback",
        "https://app.example/" + "x" * 2_100,
        "https://аpp.example/cb",
    ],
)
def test_a_bad_redirect_uri_may_not(uri: str) -> None:
    with pytest.raises(RedirectError):
        redirects.check(uri)


@given(st.text(max_size=80))
def test_any_text_is_a_redirect_uri_or_refused(text: str) -> None:
    for uri in (text, f"https://{text}", f"http://127.0.0.1{text}"):
        try:
            redirects.check(uri)
        except RedirectError:
            continue
        assert uri.isascii()
        redirects.where(uri)
        assert redirects.chosen(uri, (uri,)) == uri


@pytest.mark.parametrize(
    ("asked", "registered", "found"),
    [
        pytest.param(None, ("https://a.example/",), "https://a.example/", id="left out, and there is one"),
        pytest.param(None, ("https://a.example/", "https://b.example/"), None, id="left out, and there are two"),
        pytest.param(None, (), None, id="left out, and there is none"),
        pytest.param("http://127.0.0.1:5/cb", ("http://127.0.0.1/cb",), "http://127.0.0.1:5/cb", id="any port"),
        pytest.param("http://127.0.0.1:5/cb", ("http://127.0.0.1:9/cb",), "http://127.0.0.1:5/cb", id="another port"),
        pytest.param("http://[::1]:5/cb", ("http://[::1]/cb",), "http://[::1]:5/cb", id="any port of IPv6"),
        pytest.param("http://127.0.0.1:5/other", ("http://127.0.0.1/cb",), None, id="another path"),
        pytest.param("http://localhost:5/cb", ("http://localhost/cb",), None, id="a name, which can lead anywhere"),
        pytest.param("http://localhost:5/cb", ("http://127.0.0.1/cb",), None, id="another name for the loopback"),
        pytest.param("http://127.0.0.1:5x/cb", ("http://127.0.0.1/cb",), None, id="a port that is none"),
        pytest.param("http://127.0.0.1:5@evil.example/cb", ("http://127.0.0.1/cb",), None, id="a port that is a user"),
        pytest.param("https://127.0.0.1:5/cb", ("https://127.0.0.1/cb",), None, id="TLS"),
    ],
)
def test_a_request_means_one_of_the_registered(asked: str | None, registered: tuple[str, ...], found: str) -> None:
    assert redirects.chosen(asked, registered) == found


def test_people_read_where_it_goes() -> None:
    assert redirects.where("https://app.example:8443/cb").host == "app.example:8443"
    assert redirects.where("http://127.0.0.1:5/cb").loopback
    assert redirects.where("com.example.app:/cb").host == "com.example.app:"


def test_a_secret_matches_itself_alone() -> None:
    first, second = opaque.make("cs"), opaque.make("cs")
    assert first.startswith("cs_")
    assert len(first) > 40
    assert opaque.matches(first, opaque.digest(first))
    assert not opaque.matches(second, opaque.digest(first))
    assert not opaque.matches("", "")
    assert not opaque.matches("\ud800", opaque.digest(first))


def test_a_limit_counts_each_address_for_itself_in_bounded_memory() -> None:
    now = Time()
    limit = Limit(2, seconds=10, clock=now, most=3)
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    assert limit.take("b")
    now.now += 10
    assert limit.take("a")
    assert [limit.take(name) for name in "cdef"] == [True] * 4
    assert len(limit._since) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTPS://OPS.example/mcp", "https://ops.example/mcp"),
        ("https://ops.example/", "https://ops.example"),
        ("urn:x", "urn:x"),
        ("https://[x", "https://[x"),
    ],
)
def test_a_resource_has_one_spelling(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_a_resource_differs_in_everything_else() -> None:
    assert canonical("https://ops.example/MCP") != canonical("https://ops.example/mcp")
    assert canonical("https://ops.example/mcp/") != canonical("https://ops.example/mcp")
    assert canonical("https://ops.example/mcp?x") != canonical("https://ops.example/mcp")


def test_settings_that_nobody_could_compare_are_refused() -> None:
    resource = Resource(uri="https://ops.example/mcp", scopes=(Scope(name="x"),))
    for issuer in ("https://as.example/", "https://as.example?x", "https://as.example#x"):
        with pytest.raises(ValueError, match="trailing slash"):
            Settings(issuer=issuer, resources=(resource,))
    with pytest.raises(ValueError, match="a resource"):
        Settings(issuer="https://as.example", resources=())
    good = Settings(issuer="https://as.example/t", resources=(resource,))
    assert (good.path, good.origin, good.secure) == ("/t", "https://as.example", True)
    assert good.resources[0].title == "https://ops.example/mcp"


def test_the_operator_enters_clients() -> None:
    public, none = entry.make("app", redirect_uris=["https://app.example/cb"])
    assert (public.proof, none) == (Proof.NONE, "")
    robot, secret = entry.make("robot", secret=True, for_itself=True, scopes=["x"])
    assert opaque.matches(secret, robot.secret_hash)
    assert (robot.grant_types, robot.scope) == (frozenset({"client_credentials"}), ("x",))
    desk, _ = entry.make("desk", jwks=b'{"keys":[{"kty":"EC"}]}', identity_assertions=True)
    assert (desk.proof, desk.grant_types) == (Proof.PRIVATE_KEY, frozenset({JWT_BEARER}))


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({"client_id": "https://x.example/d"}, "not a client id"),
        ({"redirect_uris": ()}, "needs a redirect URI"),
        ({"redirect_uris": ("http://x.example",)}, "http beyond the loopback"),
        ({"for_itself": True}, "prove itself"),
        ({"secret": True, "jwks": b"{}"}, "not both"),
        ({"jwks": b"{"}, "cannot be read"),
        ({"jwks": b"{}"}, "no JWKS"),
        ({"jwks": b'{"keys":[{"kty":"EC","d":"x"}]}'}, "private key"),
    ],
)
def test_a_mistake_of_the_operator_is_said_at_once(given_: dict[str, object], why: str) -> None:
    whole: dict[str, object] = {"client_id": "app", "redirect_uris": ("https://app.example/cb",), **given_}
    with pytest.raises(ConfigError, match=why):
        entry.make(str(whole.pop("client_id")), **whole)  # type: ignore[arg-type] # a table of changes


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "postgresql://u:p@h/x", "sqlite://", "sqlite://host/x"])
def test_a_database_that_is_not_for_us_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"oauth\.database"):
        Store(url)


async def test_a_database_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_bytes(b"not a database at all, but text" * 100)
    for url in (f"sqlite:///{tmp_path}/no.db", f"sqlite:///{tmp_path}/missing/no.db"):
        store = Store(url, password="s3cret-word")
        with pytest.raises(ConfigError, match="cannot be used") as failed:
            await store.migrate()
        assert "s3cret-word" not in str(failed.value)
        await store.close()
