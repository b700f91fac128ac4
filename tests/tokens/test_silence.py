"""No message says a part of a token: whatever is in it, and whatever is wrong with it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.fuzz import FULL, GOOD, leaks
from tests.tokens.makers import SERVER, UNHURRIED, Clock, claims, header_bytes, key, sign

PLACES = [*GOOD, "typ", "token_use", "cnf", "nbf", "azp", "scp", "scopes", "_claim_names", "hasgroups", "stranger"]
secret_texts = st.text(st.characters(), min_size=12, max_size=40)
shapes = st.sampled_from(
    [
        lambda said: said,
        lambda said: [said],
        lambda said: {said: said},
        lambda said: {"sub": said, "iss": said},
        lambda said: [{said: [said]}],
        lambda said: {"roles": said},
        lambda said: said + "\n",
    ]
)


async def message(text: str) -> str:
    """Give what the log would hear; empty when the token is good."""
    try:
        await JwtVerifier([FULL], clock=Clock()).verify(RawToken(text), SERVER)
    except TokenError as error:
        return f"{error} {error!r} {error.args} {error.__cause__}"
    return ""


@UNHURRIED
@given(st.sampled_from(PLACES), secret_texts, shapes)
async def test_no_claim_is_quoted(place: str, said: str, shape: Any) -> None:
    text = sign(header_bytes(), json.dumps(GOOD | {place: shape(said)}).encode())
    heard = await message(text)
    assert not leaks(heard, text)
    assert not leaks(heard, said)


@UNHURRIED
@given(st.sampled_from(["alg", "kid", "typ", "crit", "jku", "jwk", "x5c", "stranger"]), secret_texts, shapes)
async def test_no_header_is_quoted(place: str, said: str, shape: Any) -> None:
    text = sign(json.dumps(json.loads(header_bytes()) | {place: shape(said)}).encode(), json.dumps(GOOD).encode())
    heard = await message(text)
    assert not leaks(heard, text)
    assert not leaks(heard, said)


@UNHURRIED
@given(secret_texts)
async def test_no_key_of_a_member_is_quoted(said: str) -> None:
    doubled = json.dumps(GOOD)[:-1] + f", {json.dumps(said)}: 1, {json.dumps(said)}: 2}}"
    assert not leaks(await message(sign(header_bytes(), doubled.encode())), said)


@UNHURRIED
@given(secret_texts)
async def test_no_text_that_is_no_token_is_quoted(said: str) -> None:
    heard = await message(said)
    assert heard
    assert not leaks(heard, said)


async def test_a_token_of_a_stranger_is_not_quoted() -> None:
    text = sign(header_bytes(), json.dumps(claims(sub="canary-canary-canary")).encode(), key("ES256", "stranger"))
    heard = await message(text)
    assert heard
    assert not leaks(heard, "canary-canary-canary")
    assert "canary" not in repr(RawToken(text))
