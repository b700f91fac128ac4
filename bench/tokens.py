"""What verifying a token costs: the cache, the verifier, PyJWT's usual path and the bare signature, side by side.

Microseconds of CPU time of this process, medians of interleaved rounds. Trust the ratios.
`python -m bench.tokens [--quick]`
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.utils import raw_to_der_signature

from authz_sidecar.model import RawToken, Server
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.keys import Key, parse_keys
from authz_sidecar.tokens.mint import generate_key, mint, public_jwks
from authz_sidecar.tokens.verifier import Issuer, JwtVerifier

ISSUER = "https://idp.example/realms/main"
SERVER = Server(name="ops-assistant", audience="https://ops.example/mcp")
ALGORITHMS = ("RS256", "ES256", "EdDSA")
MANY = 10_000

Lap = Callable[[], float]


def claims(subject: str) -> dict[str, object]:
    now = time.time()
    return {
        "iss": ISSUER,
        "sub": subject,
        "aud": SERVER.audience,
        "iat": now,
        "exp": now + 3600,
        "jti": "5f1d0c6e-7a51-4d55-9f0e-1c4b7f3f6a01",
        "client_id": "portal",
        "scope": "tickets:read tickets:write",
        "realm_access": {"roles": ["support", "viewer", "offline_access"]},
    }


def issuer(algorithm: str, key: dict[str, object]) -> Issuer:
    keys = parse_keys(json.dumps(public_jwks([key])).encode())
    return Issuer(
        alias="main",
        issuer=ISSUER,
        algorithms=frozenset({algorithm}),
        keys=keys,
        roles_claim="realm_access.roles",
    )


def verifier_lap(verifier: JwtVerifier, tokens: list[RawToken], *, forget: bool) -> Lap:
    """Verify each token once; µs for one."""

    async def run() -> float:
        if forget:
            verifier.forget()
        begin = time.process_time()
        for token in tokens:
            await verifier.verify(token, SERVER)
        return (time.process_time() - begin) / len(tokens) * 1e6

    def lap() -> float:
        coroutine: Coroutine[Any, Any, float] = run()
        return asyncio.run(coroutine)

    return lap


def pyjwt_lap(algorithm: str, key: Key, text: str, count: int) -> Lap:
    """The path of most servers: read the header for the kid, then decode."""
    keys: dict[str | None, Any] = {key.kid: key.material}

    def lap() -> float:
        begin = time.process_time()
        for _ in range(count):
            kid = jwt.get_unverified_header(text)["kid"]
            jwt.decode(
                text,
                keys[kid],
                algorithms=[algorithm],
                audience=SERVER.audience,
                issuer=ISSUER,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        return (time.process_time() - begin) / count * 1e6

    return lap


def bare(material: object, signed: bytes, signature: bytes) -> Callable[[], None]:
    """The signature alone, by `cryptography`: nobody can be faster with it."""
    match material:
        case RSAPublicKey():
            return lambda: material.verify(signature, signed, padding.PKCS1v15(), SHA256())
        case EllipticCurvePublicKey():
            der = raw_to_der_signature(signature, material.curve)
            return lambda: material.verify(der, signed, ec.ECDSA(SHA256()))
        case Ed25519PublicKey():
            return lambda: material.verify(signature, signed)
        case _:
            raise TypeError(type(material))


def bare_lap(key: Key, text: str, count: int) -> Lap:
    signed, _, signature = text.encode().rpartition(b".")
    check = bare(key.material, signed, base64url.decode(signature))

    def lap() -> float:
        begin = time.process_time()
        for _ in range(count):
            check()
        return (time.process_time() - begin) / count * 1e6

    return lap


def laps(algorithm: str) -> dict[str, Lap]:
    key = generate_key(algorithm)
    by = issuer(algorithm, key)
    public = by.keys.keys[0]
    text = mint(key, claims("alice"))
    distinct = [RawToken(mint(key, claims(f"user-{n}"))) for n in range(500)]
    verifier = JwtVerifier([by], clock=time.time)
    # A fast wrong answer is worthless: all paths must agree before the clock runs.
    decoded = jwt.decode(text, public.material, algorithms=[algorithm], audience=SERVER.audience)
    who = asyncio.run(verifier.verify(RawToken(text), SERVER))
    assert who.subject == decoded["sub"]
    assert who.groups == {f"role:{role}" for role in decoded["realm_access"]["roles"]}
    return {
        f"{algorithm} bare signature": bare_lap(public, text, 500),
        f"{algorithm} miss": verifier_lap(verifier, distinct, forget=True),
        f"{algorithm} PyJWT": pyjwt_lap(algorithm, public, text, 500),
    }


def hit_laps() -> dict[str, Lap]:
    key = generate_key("EdDSA")
    verifier = JwtVerifier([issuer("EdDSA", key)], clock=time.time, cache_size=MANY)
    many = [RawToken(mint(key, claims(f"user-{n}"))) for n in range(MANY)]
    verifier_lap(verifier, many, forget=True)()
    return {
        "hit, one token": verifier_lap(verifier, [many[-1]] * MANY, forget=False),
        f"hit, {MANY:,} tokens in turn": verifier_lap(verifier, many, forget=False),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five rounds instead of eleven")
    rounds = 5 if parser.parse_args().quick else 11
    all_laps = hit_laps()
    for algorithm in ALGORITHMS:
        all_laps |= laps(algorithm)
    times: dict[str, list[float]] = {name: [] for name in all_laps}
    for _ in range(rounds):
        for name, lap in all_laps.items():
            times[name].append(lap())
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"{'µs of CPU, medians of ' + str(rounds) + ' rounds':<38}{'median':>9}{'lowest':>9}{'highest':>9}")
    for name, found in times.items():
        print(f"{name:<38}{medians[name]:>9.1f}{min(found):>9.1f}{max(found):>9.1f}")
    print()
    for algorithm in ALGORITHMS:
        floor, miss, usual = (medians[f"{algorithm} {what}"] for what in ("bare signature", "miss", "PyJWT"))
        ratios = f"PyJWT / miss {usual / miss:.1f}  miss / bare {miss / floor:.1f}"
        print(f"{algorithm}: {ratios}  PyJWT / hit {usual / medians['hit, one token']:.0f}")


if __name__ == "__main__":
    main()
