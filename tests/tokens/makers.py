"""Makers of keys, issuers and tokens for the tests of this room."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hypothesis import HealthCheck, settings

from authz_sidecar.model import Server
from authz_sidecar.tokens import base64url, mint
from authz_sidecar.tokens.algorithms import ALGORITHMS
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.keys import KeySet, parse_keys

NOW: Final = 1_800_000_000.0
ISSUER: Final = "https://idp.example"
AUDIENCE: Final = "https://ops.example/mcp"
SERVER: Final = Server(name="ops-assistant", audience=AUDIENCE)
OTHER_SERVER: Final = Server(name="billing", audience="https://billing.example/mcp")
CANARY: Final = "canary-5f1d0c"
"""Stands in every token of the hostile table and must never stand in a message."""


UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: they say nothing about time, and the machine may be busy."""


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Drop:
    """Says that a claim is to be left out."""


DROP: Final = Drop()


@cache
def key(algorithm: str, name: str = "") -> dict[str, Any]:
    """Make a private key once in a session: RSA keys are slow to make. It is not marked as for development."""
    return mint.generate_key(algorithm, kid=name or f"{algorithm.lower()}-1", development=False)


SECRET: Final[Mapping[str, Any]] = {
    "kty": "oct",
    "kid": "secret-1",
    "alg": "HS256",
    "k": base64url.encode(bytes(range(100, 140))).decode(),
}


def keyset(*records: Mapping[str, Any]) -> KeySet:
    """Read the public parts of keys as the product does."""
    public = [record if record["kty"] == "oct" else mint.public_jwks([record])["keys"][0] for record in records]
    return parse_keys(json.dumps({"keys": public}).encode())


@cache
def usual_keys() -> KeySet:
    return keyset(key("RS256"), key("ES256"), key("EdDSA"))


def issuer(**changes: Any) -> Issuer:
    """Make the issuer of the tests, with changes."""
    usual: dict[str, Any] = {
        "alias": "main",
        "issuer": ISSUER,
        "algorithms": frozenset({"RS256", "ES256", "EdDSA"}),
    }
    if "keys" not in changes:
        usual["keys"] = usual_keys()
    return Issuer(**usual | changes)


def claims(**changes: Any) -> dict[str, Any]:
    """Make the claims of a good token, with changes; `DROP` leaves one out."""
    usual = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "iat": NOW - 10,
        "exp": NOW + 300,
        "client_id": "cli",
        "scope": "tickets:read tickets:write",
        "jti": "t-1",
    }
    return {name: value for name, value in (usual | changes).items() if value is not DROP}


def token(*, signer: Mapping[str, Any] | None = None, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Make a good token, with changed claims."""
    return mint.mint(signer or key("ES256"), claims(**changes), headers=header)


def sign(header: bytes, payload: bytes, signer: Mapping[str, Any] | None = None) -> str:
    """Sign any bytes as header and payload: what a broken or hostile issuer with the right key could do."""
    signer = signer or key("ES256")
    signed = base64url.encode(header) + b"." + base64url.encode(payload)
    algorithm = ALGORITHMS[signer["alg"]]
    return (signed + b"." + base64url.encode(algorithm.sign(signed, algorithm.from_jwk(dict(signer))))).decode()


def forge(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, signature: bytes = b"") -> str:
    """Put any three parts together."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    return b".".join(map(base64url.encode, (*parts, signature))).decode()


HEADER: Final[Mapping[str, Any]] = {"alg": "ES256", "typ": "at+jwt", "kid": "es256-1"}


def header_bytes(**changes: Any) -> bytes:
    """Make a good header, with changes."""
    return json.dumps({name: value for name, value in (HEADER | changes).items() if value is not DROP}).encode()


def claim_bytes(**changes: Any) -> bytes:
    """Make the bytes of good claims, with changes."""
    return json.dumps(claims(**changes)).encode()
