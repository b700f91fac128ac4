"""What anybody with curl gets from the protected server: the answers by HTTP alone."""

import base64
import json
import time
from typing import Any

import pytest

from authz_sidecar.tokens import mint
from tests.process.grounds import Ground, claims, token

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def b64(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_without_a_token_the_challenge_names_no_error(shared: Ground) -> None:
    answer = shared.call("lookup_inventory", query="laptop")
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer")
    assert "error" not in challenge
    assert answer.json()["error"]["code"] == 40100
    assert shared.decision(answer.json()["error"]["data"]["decision_id"])["reason"] == "token_missing"


def test_with_a_valid_token_it_is_200(shared: Ground) -> None:
    answer = shared.call("lookup_inventory", token(shared.playground, "vera"), query="laptop")
    assert answer.status_code == 200
    assert "LAP-14" in answer.text


def expired(shared: Ground) -> str:
    return token(shared.playground, "vera", exp=int(time.time()) - 600)


def early(shared: Ground) -> str:
    return token(shared.playground, "vera", nbf=int(time.time()) + 600)


def foreign(shared: Ground) -> str:
    return token(shared.playground, "vera", aud="https://elsewhere.example/mcp")


def stranger(shared: Ground) -> str:
    return token(shared.playground, "vera", iss="https://elsewhere.example")


def tampered(shared: Ground) -> str:
    head, _, seal = token(shared.playground, "vera").split(".")
    return f"{head}.{b64(claims(shared.playground, 'adam'))}.{seal}"


def unsigned(shared: Ground) -> str:
    return f"{b64({'alg': 'none', 'typ': 'at+jwt'})}.{b64(claims(shared.playground, 'adam'))}."


def forged(shared: Ground) -> str:
    """Signed by somebody else's key that calls itself by the name of the real one."""
    real = mint.read_keys(shared.playground.directory / "keys" / "signing-key.json")[0]
    key = mint.generate_key("ES256", kid=str(real["kid"]))
    return mint.mint(key, claims(shared.playground, "adam"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(expired, "token_expired", id="expired"),
        pytest.param(early, "token_not_yet_valid", id="not yet valid"),
        pytest.param(foreign, "token_audience_mismatch", id="for another server"),
        pytest.param(stranger, "token_issuer_unknown", id="of another issuer"),
        pytest.param(tampered, "token_signature_invalid", id="tampered with"),
        pytest.param(forged, "token_signature_invalid", id="signed by another key"),
        pytest.param(unsigned, "token_algorithm_not_allowed", id="alg none"),
        pytest.param(lambda _: "no.jwt.at-all", "token_malformed", id="no JWT"),
    ],
)
def test_a_bad_token_is_401_and_only_the_log_says_why(shared: Ground, make: Any, reason: str) -> None:
    answer = shared.call("lookup_inventory", make(shared), query="laptop")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    told = (answer.text + str(answer.headers)).lower()
    for word in ("expired", "audience", "signature", "alg", "issuer", "malformed", "nbf"):
        assert word not in told
    assert answer.json()["error"]["message"] == "the access token was not accepted"
    decision = shared.decision(answer.json()["error"]["data"]["decision_id"])
    assert (decision["reason"], decision["allowed"]) == (reason, False)
    assert "who" not in decision


def test_every_bad_token_gets_the_same_answer(shared: Ground) -> None:
    def told(bearer: str) -> tuple[object, ...]:
        answer = shared.call("lookup_inventory", bearer)
        error = {key: value for key, value in answer.json()["error"].items() if key != "data"}
        return answer.status_code, answer.headers["www-authenticate"], tuple(error.items())

    assert len({told(make(shared)) for make in (expired, foreign, tampered, unsigned, forged)}) == 1


def test_a_missing_scope_is_403_with_all_scopes(shared: Ground) -> None:
    answer = shared.call("create_ticket", token(shared.playground, "alice"), title="Printer", body="On fire")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="tickets:write"' in answer.headers["www-authenticate"]
    assert (answer.json()["error"]["code"], answer.json()["id"]) == (40301, 1)
    assert answer.json()["error"]["data"]["required_scopes"] == ["tickets:write"]


def test_a_denial_for_good_is_403_without_a_challenge(shared: Ground) -> None:
    answer = shared.call("delete_ticket", token(shared.playground, "alice", "tickets:write"), ticket_id=1)
    assert answer.status_code == 403
    assert "www-authenticate" not in answer.headers
    error = answer.json()["error"]
    assert error["code"] == 40300
    assert "tickets" not in json.dumps(error)
    decision = shared.decision(error["data"]["decision_id"])
    assert (decision["tool"], decision["reason"]) == ("delete_ticket", "no_matching_rule")


def test_an_unknown_method_is_denied(shared: Ground) -> None:
    body = {"jsonrpc": "2.0", "id": "x", "method": "tools/destroy", "params": {}}
    answer = shared.post(body, token(shared.playground, "adam", "tickets:write"))
    assert (answer.status_code, answer.json()["id"]) == (403, "x")
    assert shared.decision(answer.json()["error"]["data"]["decision_id"])["reason"] == "method_unknown"


def test_the_old_era_is_protected_all_the_same(shared: Ground) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "curl", "version": "8"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    assert shared.post(body).status_code == 401
    opened = shared.post(body, token(shared.playground, "vera"))
    assert opened.status_code == 200
    session = opened.headers["mcp-session-id"]
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    era = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-06-18"}
    seen = shared.post(listing, token(shared.playground, "vera"), **era)
    assert seen.status_code == 200
    assert "lookup_inventory" in seen.text
    assert "delete_ticket" not in seen.text
    stolen = shared.post(listing, token(shared.playground, "adam"), **era)
    assert stolen.status_code == 404
    assert stolen.json()["error"]["code"] == 40400


def test_the_log_of_requests_and_the_decision_log_are_joined(shared: Ground) -> None:
    answer = shared.call("delete_ticket", token(shared.playground, "vera"), ticket_id=1)
    decision = shared.decision(answer.json()["error"]["data"]["decision_id"])
    assert decision["who"]["subject"] == "vera"
    assert decision["development"] is True
    assert "ticket_id" not in json.dumps(decision)
