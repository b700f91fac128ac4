"""The MCP SDK's clients without a person: by secret, by a signed assertion, and by a company's word for somebody."""

from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.auth.extensions.identity_assertion import IdentityAssertionOAuthProvider

from authz_sidecar.oauth.client import Proof
from authz_sidecar.oauth.flow_assertion import JWT_BEARER, IdentityProvider
from examples.oauth_flow.app import Memory
from tests.oauth.place import BASE, MCP, Place, place
from tests.oauth.test_assertions import EC, IDP, PUBLIC, _keys, _signed
from tests.oauth.world import SECRET, confidential

ITSELF = frozenset({"client_credentials"})
PEM = EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def _asked(found: Place, auth: httpx2.Auth) -> Mapping[str, object]:
    transport = httpx2.ASGITransport(app=found.app)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, auth=auth) as http:
        answer = await http.get("/mcp")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_robot_with_a_secret_acts_for_itself(tmp_path: Path, method: str) -> None:
    async with place(tmp_path, sdk=False) as found:
        await found.made.add(id="robot", grant_types=ITSELF, **confidential())
        auth = ClientCredentialsOAuthProvider(MCP, Memory(), "robot", SECRET, method, issuer=BASE)  # type: ignore[arg-type] # one of its two words
        assert await _asked(found, auth) == {"sub": "robot", "scope": "tickets:read", "aud": MCP}


async def test_a_robot_with_a_key_signs_for_itself(tmp_path: Path) -> None:
    async with place(tmp_path, sdk=False) as found:
        import time

        found.made.now.now = time.time()  # the SDK signs by the clock on the wall
        await found.made.add(id="signer", proof=Proof.PRIVATE_KEY, jwks=(PUBLIC,), grant_types=ITSELF)
        signs = SignedJWTParameters(issuer="signer", subject="signer", signing_key=PEM, signing_algorithm="ES256")
        auth = PrivateKeyJWTOAuthProvider(
            MCP, Memory(), "signer", assertion_provider=signs.create_assertion_provider(), issuer=BASE
        )
        assert await _asked(found, auth) == {"sub": "signer", "scope": "tickets:read", "aud": MCP}


async def test_a_companys_provider_vouches_for_a_person_and_no_page_is_shown(tmp_path: Path) -> None:
    async with place(tmp_path, sdk=False, providers=(IdentityProvider(issuer=IDP, keys=_keys),)) as found:
        await found.made.add(id="desk", grant_types=frozenset({JWT_BEARER}), **confidential())
        now = found.made.now()

        async def vouched(audience: str, resource: str) -> str:
            claims = {"iss": IDP, "sub": "alice", "aud": audience, "client_id": "desk", "resource": resource}
            times = {"iat": now, "exp": now + 60, "jti": "v1"}
            return _signed(claims | times | {"scope": "tickets:read"}, typ="oauth-id-jag+jwt")

        auth = IdentityAssertionOAuthProvider(MCP, Memory(), "desk", SECRET, BASE, vouched, "tickets:read")
        assert await _asked(found, auth) == {"sub": "alice", "scope": "tickets:read", "aud": MCP}
