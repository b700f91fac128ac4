"""JWT assertions: of clients that sign (private_key_jwt), and of identity providers (ID-JAG)."""

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authz_sidecar.oauth import assertions
from authz_sidecar.oauth.assertions import AssertionRefused
from authz_sidecar.oauth.client import Proof
from authz_sidecar.oauth.clientauth import ASSERTION
from authz_sidecar.oauth.flow_assertion import ID_JAG, JWT_BEARER, IdentityProvider
from tests.oauth.world import BILLING, ISSUER, SECRET, TICKETS, World, confidential, world

IDP = "https://idp.example"
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
PUBLIC: dict[str, object] = ECAlgorithm.to_jwk(EC.public_key(), as_dict=True) | {"kid": "k1"}
PUBLIC_RSA: dict[str, object] = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "k2", "alg": "PS256"}


async def _keys() -> Sequence[Mapping[str, object]]:
    return (PUBLIC,)


@pytest_asyncio.fixture(name="place")
async def _place(tmp_path: Path) -> AsyncIterator[World]:
    providers = (
        IdentityProvider(issuer=IDP, keys=_keys),
        IdentityProvider(issuer=f"{IDP}/mail", keys=_keys, subject_claim="email"),
    )
    async with world(tmp_path, providers=providers) as made:
        await made.add(
            id="robot",
            proof=Proof.PRIVATE_KEY,
            jwks=(PUBLIC, PUBLIC_RSA),
            grant_types=frozenset({"client_credentials"}),
        )
        await made.add(id="desk", grant_types=frozenset({JWT_BEARER}), **confidential())
        yield made


def _signed(claims: Mapping[str, object], key: Any = EC, algorithm: str = "ES256", **header: object) -> str:
    return jwt.encode(dict(claims), key, algorithm=algorithm, headers={"kid": "k1"} | header)


def _of_client(now: float, **changes: object) -> dict[str, object]:
    given = {"iss": "robot", "sub": "robot", "aud": ISSUER, "exp": now + 60, "iat": now, "jti": "j1"}
    return {name: value for name, value in (given | changes).items() if value is not None}


async def _own(place: World, assertion: str, **given: str) -> tuple[int, dict[str, object]]:
    response = await place.token(
        grant_type="client_credentials",
        resource=TICKETS,
        **({"client_assertion_type": ASSERTION, "client_assertion": assertion} | given),
    )
    return response.status_code, response.json()


@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/token", [ISSUER]])
async def test_a_client_signs_for_itself(place: World, audience: object) -> None:
    status, told = await _own(place, _signed(_of_client(place.now(), aud=audience)))
    assert (status, told.get("token_type")) == (200, "Bearer")


async def test_a_client_signs_with_any_of_its_keys(place: World) -> None:
    status, _ = await _own(place, _signed(_of_client(place.now()), RSA, "PS256", kid="k2"), client_id="robot")
    assert status == 200


async def test_an_assertion_is_good_once(place: World) -> None:
    assertion = _signed(_of_client(place.now()))
    assert (await _own(place, assertion))[0] == 200
    status, told = await _own(place, assertion)
    assert (status, told["error"]) == (401, "invalid_client")
    assert (await _own(place, _signed(_of_client(place.now(), jti="j2"))))[0] == 200
    place.now.now += 1_000
    await place.core.tidy()
    assert (await _own(place, assertion))[0] == 401


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": "https://evil.example"}, id="for another server"),
        pytest.param({"aud": [ISSUER, "https://evil.example"]}, id="for another server too"),
        pytest.param({"aud": []}, id="for nobody"),
        pytest.param({"aud": 7}, id="for a number"),
        pytest.param({"aud": f"{ISSUER}/"}, id="for us with one more slash"),
        pytest.param({"sub": "app"}, id="about another client"),
        pytest.param({"iss": "desk"}, id="of a client without keys"),
        pytest.param({"iss": "stranger"}, id="of an unknown client"),
        pytest.param({"exp": -100.0}, id="over"),
        pytest.param({"exp": 3_700.0}, id="too long"),
        pytest.param({"exp": "soon"}, id="with an end that is text"),
        pytest.param({"iat": "now"}, id="with a beginning that is text"),
        pytest.param({"nbf": 100.0}, id="not yet valid"),
        pytest.param({"exp": None}, id="without an end"),
        pytest.param({"jti": None}, id="without a name"),
        pytest.param({"jti": ""}, id="with an empty name"),
        pytest.param({"jti": 7}, id="with a name that is a number"),
    ],
)
async def test_a_wrong_assertion_proves_nothing(place: World, changes: Mapping[str, object]) -> None:
    moved = {name: place.now() + value if isinstance(value, float) else value for name, value in changes.items()}
    status, told = await _own(place, _signed(_of_client(place.now(), **moved)))
    assert (status, told["error"]) == (401, "invalid_client")


async def test_a_wrong_signature_proves_nothing(place: World) -> None:
    now = place.now()
    good = _signed(_of_client(now))
    header, payload, signature = good.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    secret = str(PUBLIC["x"])
    symmetric = jwt.encode(_of_client(now), secret, algorithm="HS256", headers={"kid": "k1"})
    for assertion in (
        _signed(_of_client(now), OTHER),
        _signed(_of_client(now), RSA, "RS256", kid="k2"),
        _signed(_of_client(now), RSA, "PS256", kid="k1"),
        _signed(_of_client(now), kid="k9"),
        _signed(_of_client(now), typ="at+jwt"),
        _signed(_of_client(now), crit=["x"], x=1),
        symmetric,
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{header}.{payload}.{signature[:-1]}{'B' if signature[-1] != 'B' else 'C'}",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}=",
        "x" * 20_000,
        "a.b.c",
    ):
        status, told = await _own(place, assertion)
        assert (status, told["error"]) == (401, "invalid_client"), assertion


async def test_a_client_that_signs_does_nothing_else(place: World) -> None:
    status, told = await _own(place, _signed(_of_client(place.now())), client_id="desk")
    assert (status, told["error"]) == (401, "invalid_client")
    status, told = await _own(place, _signed(_of_client(place.now())), client_assertion_type="x")
    assert (status, told["error"]) == (400, "invalid_request")
    response = await place.token(grant_type="client_credentials", client_id="robot")
    assert response.json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(PUBLIC | {"use": "enc"}, id="for encryption"),
        pytest.param(PUBLIC | {"key_ops": ["encrypt"]}, id="for another operation"),
        pytest.param(PUBLIC | {"alg": "ES384"}, id="for another algorithm"),
        pytest.param(PUBLIC | {"crv": "P-384"}, id="of another curve"),
        pytest.param({"kty": "oct", "k": "AAAA", "kid": "k1"}, id="a secret"),
        pytest.param({}, id="nothing"),
    ],
)
def test_a_key_is_used_for_what_it_is_for(key: Mapping[str, object]) -> None:
    with pytest.raises(AssertionRefused):
        assertions.read(_signed(_of_client(0.0)), keys=[key], issuer="robot", audiences=[ISSUER], typ=None)


def test_two_keys_that_fit_are_one_too_many() -> None:
    unnamed = {name: value for name, value in PUBLIC.items() if name != "kid"}
    read = {"issuer": "robot", "audiences": [ISSUER], "typ": None}
    assert assertions.read(_signed(_of_client(0.0)), keys=[unnamed], **read)["sub"] == "robot"  # type: ignore[arg-type]
    with pytest.raises(AssertionRefused, match="2 keys"):
        assertions.read(_signed(_of_client(0.0)), keys=[unnamed, unnamed], **read)  # type: ignore[arg-type]


def _of_person(now: float, **changes: object) -> dict[str, object]:
    given: dict[str, object] = {
        "iss": IDP,
        "sub": "alice",
        "aud": ISSUER,
        "client_id": "desk",
        "resource": TICKETS,
        "scope": "tickets:read chat",
        "exp": now + 300,
        "iat": now,
        "jti": "p1",
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


async def _for_alice(place: World, claims: Mapping[str, object], **given: str) -> tuple[int, dict[str, object]]:
    assertion = _signed(claims, typ="oauth-id-jag+jwt")
    response = await place.post(
        "token", ("desk", SECRET), **({"grant_type": JWT_BEARER, "assertion": assertion} | given)
    )
    return response.status_code, response.json()


async def test_an_identity_provider_says_who_it_is(place: World) -> None:
    status, told = await _for_alice(place, _of_person(place.now()))
    assert status == 200
    assert told["scope"] == "tickets:read"
    assert "refresh_token" not in told
    claims = place.claims(str(told["access_token"]))
    assert (claims["sub"], claims["aud"], claims["client_id"], claims["roles"]) == (
        "alice",
        TICKETS,
        "desk",
        ["support"],
    )
    metadata = (await place.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["authorization_grant_profiles_supported"] == [ID_JAG]
    assert JWT_BEARER in metadata["grant_types_supported"]


async def test_another_claim_can_be_the_name(place: World) -> None:
    claims = _of_person(place.now(), iss=f"{IDP}/mail", sub="4711", email="alice")
    assert (await _for_alice(place, claims))[0] == 200


async def test_an_assertion_without_scope_or_resource_means_what_the_request_says(place: World) -> None:
    claims = _of_person(place.now(), scope=None, resource=None)
    status, told = await _for_alice(place, claims, resource=BILLING)
    assert (status, told["scope"]) == (200, "billing:read")


@pytest.mark.parametrize(
    ("changes", "given", "error"),
    [
        pytest.param({"iss": "https://evil.example"}, {}, "invalid_grant", id="an unknown provider"),
        pytest.param({"aud": "https://other.example"}, {}, "invalid_grant", id="for another server"),
        pytest.param({"client_id": "app"}, {}, "invalid_grant", id="for another client"),
        pytest.param({"client_id": None}, {}, "invalid_grant", id="for any client"),
        pytest.param({"sub": "mallory"}, {}, "invalid_grant", id="about nobody here"),
        pytest.param({"exp": 1.0}, {}, "invalid_grant", id="over"),
        pytest.param({"resource": "https://evil.example"}, {}, "invalid_target", id="an unknown resource"),
        pytest.param({"resource": [TICKETS]}, {}, "invalid_grant", id="a list of resources"),
        pytest.param({}, {"resource": BILLING}, "invalid_target", id="another resource than the assertion's"),
        pytest.param({"scope": "chat"}, {}, "invalid_scope", id="nothing in common"),
        pytest.param({"scope": "offline_access"}, {}, "invalid_scope", id="nothing but the wish to stay"),
        pytest.param({"scope": ["tickets:read"]}, {}, "invalid_grant", id="a scope that is a list"),
        pytest.param({}, {"scope": "admin"}, "invalid_scope", id="a scope that does not exist"),
        pytest.param({}, {"assertion": ""}, "invalid_request", id="no assertion"),
        pytest.param({}, {"assertion": "x.y.z"}, "invalid_grant", id="no JWT"),
    ],
)
async def test_a_wrong_identity_is_refused(
    place: World, changes: Mapping[str, object], given: Mapping[str, str], error: str
) -> None:
    status, told = await _for_alice(place, _of_person(place.now(), **changes), **given)
    assert (status, told["error"]) == (400, error)


async def test_an_identity_is_good_once_and_of_its_type(place: World) -> None:
    claims = _of_person(place.now())
    assert (await _for_alice(place, claims))[0] == 200
    assert (await _for_alice(place, claims))[1]["error"] == "invalid_grant"
    plain = await place.post(
        "token", ("desk", SECRET), grant_type=JWT_BEARER, assertion=_signed(claims | {"jti": "p2"})
    )
    assert plain.json()["error"] == "invalid_grant"


async def test_a_public_client_brings_no_identity(place: World) -> None:
    await place.add(id="phone", grant_types=frozenset({JWT_BEARER}))
    response = await place.token(grant_type=JWT_BEARER, client_id="phone", assertion="x")
    assert response.json()["error"] == "unauthorized_client"
