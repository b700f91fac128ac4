"""Asking who is calling, and binding sessions to them."""

from types import SimpleNamespace

import pytest
from starlette.requests import Request

from mcp_adapter import Principal, current_principal
from mcp_adapter.refusal import Refusal
from mcp_adapter.sessions import Sessions

ALICE = Principal(issuer="https://idp.example", subject="alice", client_id="cli")
SCOPE = {"type": "http", "headers": [], "authz.principal": ALICE}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(SCOPE, id="scope"),
        pytest.param(Request(SCOPE), id="request"),
        pytest.param(SimpleNamespace(scope=SCOPE), id="something with a scope"),
        pytest.param(SimpleNamespace(request=Request(SCOPE)), id="low-level context"),
        pytest.param(SimpleNamespace(request_context=SimpleNamespace(request=Request(SCOPE))), id="context"),
    ],
)
def test_the_caller_is_found_in_whatever_a_handler_has(source):
    assert current_principal(source) is ALICE


class Outside:
    @property
    def request_context(self):
        raise ValueError("outside of a request")


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        pytest.param(None, "pass the tool's `Context`", id="nothing"),
        pytest.param(Outside(), "pass the tool's `Context`", id="outside of a request"),
        pytest.param({"type": "http"}, "wrap the app", id="not guarded"),
        pytest.param({"authz.principal": None}, "observe mode", id="only watched"),
    ],
)
def test_where_nobody_is_known_the_error_says_what_to_do(source, advice):
    with pytest.raises(LookupError, match=advice):
        current_principal(source)


def test_a_session_opens_for_its_principal_alone():
    sessions = Sessions("ops")
    sealed = sessions.seal("abc.def", ALICE)
    assert sessions.open(sealed, ALICE, 1) == "abc.def"


KEY = b"k" * 32


@pytest.mark.parametrize(
    ("who", "server"),
    [
        pytest.param(Principal(issuer="https://other", subject="alice", client_id="cli"), "ops", id="issuer"),
        pytest.param(Principal(issuer="https://idp.example", subject="bob", client_id="cli"), "ops", id="subject"),
        pytest.param(Principal(issuer="https://idp.example", subject="alice", client_id="x"), "ops", id="client"),
        pytest.param(Principal(issuer="https://idp.example", subject="alicecli"), "ops", id="shifted"),
        pytest.param(None, "ops", id="nobody"),
        pytest.param(ALICE, "other", id="server"),
    ],
)
def test_a_session_of_anybody_else_is_not_found(who, server):
    sealed = Sessions("ops", KEY).seal("abc", ALICE)
    with pytest.raises(Refusal) as refused:
        Sessions(server, KEY).open(sealed, who, 7)
    assert (refused.value.status, refused.value.code, refused.value.request_id) == (404, 40400, 7)


@pytest.mark.parametrize("sealed", ["", ".", "abc", "abc.", ".x", "a b.c", "é.x", "x" * 2000])
def test_what_was_never_sealed_is_not_found(sealed):
    with pytest.raises(Refusal):
        Sessions("ops").open(sealed, ALICE, None)


def test_instances_with_one_key_share_sessions_and_others_do_not():
    sealed = Sessions("ops", KEY).seal("abc", None)
    assert Sessions("ops", KEY).open(sealed, None, None) == "abc"
    with pytest.raises(Refusal):
        Sessions("ops").open(sealed, None, None)
    assert "abc" not in Sessions("ops").digest("abc")
