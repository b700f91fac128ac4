"""Who acts for whom: the outermost actor is in the policy, those before it are in the record alone."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Actor, Principal, RawToken, Reason
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import ISSUER, SERVER, UNHURRIED, Clock, issuer, token

OTHER = "https://other.example"


async def verified(act: Any, by: Issuer | None = None) -> Principal:
    return await JwtVerifier([by or issuer()], clock=Clock()).verify(RawToken(token(act=act)), SERVER)


def nested(*names: str) -> dict[str, Any]:
    """The first acts now, the last acted first."""
    head, *rest = names
    return {"sub": head} | ({"act": nested(*rest)} if rest else {})


async def test_nobody_acts_where_the_token_says_nothing() -> None:
    who = await JwtVerifier([issuer()], clock=Clock()).verify(RawToken(token()), SERVER)
    assert (who.agent, who.actor, who.chain) == (None, "", ())


async def test_the_outermost_actor_becomes_the_agent_and_the_others_the_chain() -> None:
    who = await verified(nested("now", "before", "first"))
    assert (who.agent, who.actor) == ("agent:now", "now")
    assert who.chain == (Actor(subject="before", issuer=ISSUER), Actor(subject="first", issuer=ISSUER))


async def test_prior_actors_are_nobody_in_the_policy() -> None:
    who = await verified(nested("now", "before"))
    assert who.subjects == ("agent:now", "client:cli", "user:alice")


async def test_a_prior_actor_may_be_of_another_issuer_and_is_recorded_so() -> None:
    who = await verified({"sub": "now", "iss": ISSUER, "act": {"sub": "before", "iss": OTHER}})
    assert who.chain == (Actor(subject="before", issuer=OTHER),)


async def test_the_agent_is_qualified_as_every_name_is() -> None:
    assert (await verified(nested("now"), issuer(alias="corp", qualify=True))).agent == "agent:corp/now"


async def test_eight_actors_are_read_and_nine_are_not() -> None:
    assert len((await verified(nested(*"abcdefgh"))).chain) == 7
    with pytest.raises(TokenError) as caught:
        await verified(nested(*"abcdefghi"))
    assert caught.value.reason is Reason.TOKEN_MALFORMED


async def test_other_members_of_an_actor_are_not_looked_at() -> None:
    who = await verified({"sub": "now", "client_id": 7, "role": "admin", "exp": 0})
    assert (who.agent, who.client, who.groups) == ("agent:now", "client:cli", frozenset())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(ISSUER),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["sub", "iss", "act"]), inner),
    max_leaves=12,
)


@UNHURRIED
@given(values)
async def test_any_act_names_its_actor_or_is_refused(act: Any) -> None:
    with suppress(TokenError):
        who = await verified(act)
        assert who.agent == f"agent:{act['sub']}"
        assert len(who.chain) == json.dumps(act).count('"act"')
