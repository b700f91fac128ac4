"""Any string is verified or refused with our error, whatever it is."""

import base64
import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken
from authz_sidecar.tokens.inspect import Outcome, inspect
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import SERVER, UNHURRIED, Clock, claim_bytes, claims, header_bytes, issuer, sign, token

FULL = issuer(
    roles_claim="realm_access.roles",
    groups_claim="groups",
    required_claims=frozenset({"tenant"}),
    condition_claims=frozenset({"dept", "a.b"}),
)
GOOD = claims(realm_access={"roles": ["a"]}, groups=["b"], tenant="t", act={"sub": "bot"}, dept=[1])
VALID = sign(header_bytes(), json.dumps(GOOD).encode())
HEAD, PAYLOAD, SIGNATURE = VALID.split(".")

texts = st.text(st.characters(), max_size=200)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


async def verify(text: str) -> bool:
    """Verify, and hold the explanation against the verifier: they must agree."""
    reason = None
    with suppress(TokenError):
        try:
            await JwtVerifier([FULL], clock=Clock()).verify(RawToken(text), SERVER)
        except TokenError as error:
            reason = error.reason
            raise
    found = inspect(text, [FULL], SERVER, Clock())
    assert found.reason is reason
    assert bool(found) is (reason is None)
    assert not any(one.outcome is Outcome.FAILED for one in found.findings) or reason is not None
    return reason is None


async def test_the_token_that_is_mutated_is_good() -> None:
    assert await verify(VALID)


@UNHURRIED
@given(texts)
async def test_any_text_is_refused(text: str) -> None:
    assert not await verify(text)


@UNHURRIED
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
async def test_any_segments_are_refused(parts: list[bytes]) -> None:
    assert not await verify(".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts))


@UNHURRIED
@given(st.integers(0, len(VALID) - 1), texts.filter(bool))
async def test_no_changed_character_is_accepted(at: int, new: str) -> None:
    changed = VALID[:at] + new + VALID[at + 1 :]
    assert await verify(changed) is (changed == VALID)


@UNHURRIED
@given(st.integers(0, len(VALID)), texts.filter(bool))
async def test_no_inserted_text_is_accepted(at: int, new: str) -> None:
    assert not await verify(VALID[:at] + new + VALID[at:])


@UNHURRIED
@given(st.integers(0, len(VALID) - 1), st.integers(1, 40))
async def test_no_cut_token_is_accepted(at: int, length: int) -> None:
    assert not await verify(VALID[:at] + VALID[at + length :])


@UNHURRIED
@given(st.binary(max_size=200))
async def test_any_signed_header_is_verified_or_refused(header: bytes) -> None:
    await verify(sign(header, json.dumps(GOOD).encode()))


@UNHURRIED
@given(st.binary(max_size=200))
async def test_any_signed_payload_is_refused(payload: bytes) -> None:
    assert not await verify(sign(header_bytes(), payload))


@UNHURRIED
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5t", "cty"]), json_values))
async def test_any_json_header_is_verified_or_refused(members: dict[str, object]) -> None:
    header = json.dumps(json.loads(header_bytes()) | members).encode("utf-8", "surrogatepass")
    await verify(sign(header, json.dumps(GOOD).encode()))


CLAIMS = [
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "scopes", "client_id", "azp", "act", "cnf"),
    *("realm_access", "groups", "tenant", "dept", "a", "a.b", "_claim_names", "hasgroups", "typ", "token_use"),
]


@UNHURRIED
@given(st.dictionaries(st.sampled_from(CLAIMS), json_values, min_size=1))
async def test_any_signed_claims_are_verified_or_refused(members: dict[str, object]) -> None:
    await verify(sign(header_bytes(), json.dumps(GOOD | members).encode("utf-8", "surrogatepass")))


@UNHURRIED
@given(st.binary(max_size=150))
async def test_any_signature_but_the_right_one_is_refused(signature: bytes) -> None:
    encoded = base64.urlsafe_b64encode(signature).decode().rstrip("=")
    assert await verify(f"{HEAD}.{PAYLOAD}.{encoded}") is (encoded == SIGNATURE)


@UNHURRIED
@given(texts)
async def test_any_subject_keeps_every_code_point_or_is_refused(sub: str) -> None:
    with suppress(TokenError):
        text = sign(header_bytes(), json.dumps(claims(sub=sub)).encode())
        who = await JwtVerifier([issuer()], clock=Clock()).verify(RawToken(text), SERVER)
        assert who.user == f"user:{sub}"


async def test_a_token_of_one_claim_set_is_not_another() -> None:
    assert token() != sign(header_bytes(), claim_bytes(sub="bob"))
