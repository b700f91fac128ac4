"""Who is calling, as the server behind the gateway hears it."""

import base64
import hashlib
import json
import time

import jwt
import pytest

from examples.gateway.verify import Refused, verify
from mcp_adapter.gateway.identity import Identity
from mcp_adapter.gateway.signer import Signer, signer
from mcp_adapter.passed import PASSED_KEY, Passed
from mcp_adapter.principal import SCOPE_KEY, Principal
from tests.gateway.standing import asking, call, config, gateway

BODY = call()


async def test_the_server_can_verify_who_calls_what_with_which_bytes(tmp_path, sidecar, server, upstream):
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        for _ in range(2):
            assert (await http.post("/mcp", content=BODY)).status_code == 200
    (token,) = server.seen("x-authz-identity")
    keys = json.loads((tmp_path / "state" / "identity-jwks.json").read_text())
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"], header["kid"]) == ("authz-identity+jwt", "ES256", keys["keys"][0]["kid"])
    claims = jwt.decode(
        token,
        jwt.PyJWK(keys["keys"][0]).key,
        algorithms=["ES256"],
        audience=f"{upstream}/mcp",
        issuer="http://gateway.example",
        options={"require": ["exp", "iat", "jti", "aud", "iss", "sub"]},
    )
    assert claims["exp"] - claims["iat"] == 30
    digest = base64.urlsafe_b64encode(hashlib.sha256(BODY).digest()).rstrip(b"=").decode()
    assert {name: claims[name] for name in ("sub", "sub_iss", "client_id", "scope", "server")} == {
        "sub": "alice",
        "sub_iss": "https://idp.example",
        "client_id": "cli",
        "scope": "read",
        "server": "ops",
    }
    assert (claims["method"], claims["tool"], claims["body_sha256"]) == ("tools/call", "echo", digest)
    first = dict(server.scopes[0]["headers"])[b"x-authz-identity"].decode()
    assert jwt.decode(first, options={"verify_signature": False})["jti"] != claims["jti"]
    assert server.seen("x-user-id") == []


async def test_the_plain_header_is_there_when_it_was_asked_for(tmp_path, sidecar, server, upstream):
    more = "[identity]\nheader = false\nplain_user_id = true\n"
    async with gateway(config(tmp_path, sidecar, upstream, more)) as front, asking(front) as http:
        await http.post("/mcp", content=BODY, headers={"x-user-id": "root"})
    assert server.seen("x-user-id") == ["alice"]
    assert server.seen("x-authz-identity") == []


async def test_nobody_is_named_when_nobody_was_verified(tmp_path, sidecar, table, server, upstream):
    table.observe = True
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front, "stranger") as http:
        assert (await http.post("/mcp", content=BODY)).status_code == 200
    assert server.seen("x-authz-identity") == []


async def test_the_key_survives_a_restart_and_is_nobody_elses(tmp_path, sidecar, upstream):
    path = config(tmp_path, sidecar, upstream)
    async with gateway(path):
        first = (tmp_path / "state" / "identity-jwks.json").read_bytes()
    async with gateway(path):
        assert (tmp_path / "state" / "identity-jwks.json").read_bytes() == first
    for name in ("identity-key.pem", "session.key"):
        assert (tmp_path / "state" / name).stat().st_mode & 0o077 == 0


def identity(state, **changes) -> Identity:
    made = {"signer": signer(state), "issuer": "https://gw.example", "audience": "http://up/mcp", "server": "ops"}
    return Identity(**(made | changes))


def scope(**who):
    principal = Principal(issuer="https://idp.example", **({"subject": "alice"} | who))
    return {SCOPE_KEY: principal, PASSED_KEY: Passed(id=1, method="tools/call", tool="echo")}


def test_an_actor_is_named_and_an_odd_subject_cannot_break_out_of_the_header(tmp_path):
    (token, plain) = identity(tmp_path, plain=True).headers(scope(subject="a\r\nx: b\u00e9", actor="agent"), b"")
    assert plain == (b"x-user-id", b"a%0D%0Ax: b%C3%A9")
    claims = jwt.decode(token[1], options={"verify_signature": False})
    assert (claims["act"], claims["sub"]) == ({"sub": "agent"}, "a\r\nx: b\u00e9")
    assert "client_id" not in claims


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"nonsense", "not a private key", id="nonsense"),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
            b"-----END PRIVATE KEY-----\n",
            "expected a P-256 key",
            id="a key of another kind",
        ),
    ],
)
def test_a_key_that_is_none_is_refused(tmp_path, content, said):
    (tmp_path / "identity-key.pem").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        signer(tmp_path)


def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="identity-key"):
        signer(tmp_path / "file" / "state")


class TestVerify:
    """The sample that a server may copy."""

    @pytest.fixture
    def made(self, tmp_path) -> tuple[Signer, Identity]:
        one = identity(tmp_path)
        assert one.signer is not None
        return one.signer, one

    def test_it_takes_what_the_gateway_made(self, made):
        key, one = made
        ((_, token),) = one.headers(scope(), BODY)
        found = verify(token.decode(), BODY, jwks=key.jwks, issuer="https://gw.example", audience="http://up/mcp")
        assert found["sub"] == "alice"

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"audience": "http://other/mcp"}, id="made for another server"),
            pytest.param({"issuer": "https://other.example"}, id="made by another gateway"),
            pytest.param({"body": b"{}"}, id="made for other bytes"),
            pytest.param({"token": "x"}, id="no token"),
            pytest.param({"token": ""}, id="no header"),
            pytest.param({"jwks": {"keys": []}}, id="an unknown key"),
        ],
    )
    def test_it_refuses_everything_else(self, made, wrong):
        key, one = made
        ((_, token),) = one.headers(scope(), BODY)
        asked = {
            "token": token.decode(),
            "body": BODY,
            "jwks": key.jwks,
            "issuer": "https://gw.example",
            "audience": "http://up/mcp",
        }
        with pytest.raises(Refused):
            verify(**(asked | wrong))

    def test_it_refuses_an_old_one_and_another_type(self, made, tmp_path):
        key, _ = made
        old = identity(tmp_path, clock=lambda: time.time() - 120)
        ((_, token),) = old.headers(scope(), BODY)
        common = {"jwks": key.jwks, "issuer": "https://gw.example", "audience": "http://up/mcp"}
        with pytest.raises(Refused, match="expired"):
            verify(token.decode(), BODY, **common)
        claims = jwt.decode(token, options={"verify_signature": False}) | {"exp": time.time() + 60}
        pem = (tmp_path / "identity-key.pem").read_bytes()
        other = jwt.encode(claims, pem, algorithm="ES256", headers={"typ": "at+jwt", "kid": key.kid})
        with pytest.raises(Refused, match="type"):
            verify(other, BODY, **common)


def test_nothing_is_made_for_a_request_without_a_caller(tmp_path):
    assert identity(tmp_path).headers({SCOPE_KEY: None}, b"") == []
    assert identity(tmp_path, signer=None).headers(scope(), b"") == []
