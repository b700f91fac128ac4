"""What verifying a token costs: the cache, the verifier, PyJWT's and joserfc's usual path and the bare signature.

Microseconds of CPU time of this process, medians of interleaved rounds. Trust the ratios.
`python -m bench.tokens [--quick]`
"""

import argparse
import asyncio
import json
import random
import statistics
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwk as jose_keys
from joserfc import jwt as jose
from jwt.algorithms import OKPAlgorithm
from jwt.utils import raw_to_der_signature

from authz_sidecar.model import RawToken, Server
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.cache import name
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.keys import parse_keys
from authz_sidecar.tokens.keyset import Key, KeySet
from authz_sidecar.tokens.mint import generate_key, mint, public_jwks
from authz_sidecar.tokens.ring import Ring
from authz_sidecar.tokens.verifier import JwtVerifier

ISSUER = "https://idp.example/realms/main"
SERVER = Server(name="ops-assistant", audience="https://ops.example/mcp")
ALGORITHMS = ("RS256", "ES256", "EdDSA")
HIT_GOAL, MISS_GOAL, USUAL_GOAL = 3.0, 40.0, 2.0
AT_ONCE = 100
"""Tokens of a lap: some milliseconds, so that a busy neighbour slows all paths of a round alike."""

Lap = Callable[[], float]
Record = dict[str, Any]


def claims(subject: str) -> dict[str, object]:
    now = int(time.time())
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


class Published:
    """Keys as of an issuer on the web, without the fetching: what a hit compares is the same."""

    def __init__(self, keys: KeySet) -> None:
        self._ring = Ring(clock=time.time, monotonic=time.monotonic, max_age=86_400)
        self._ring.replace(keys)
        self.find = self._ring.find

    @property
    def keys(self) -> tuple[Key, ...]:
        return self._ring.keys

    @property
    def epoch(self) -> int:
        return self._ring.epoch

    @property
    def good_for(self) -> float:
        return self._ring.good_for

    async def seek(self) -> bool:
        return False


def issuer(algorithm: str, key: Record) -> Issuer:
    keys = parse_keys(json.dumps(public_jwks([key])).encode())
    return Issuer(
        alias="main",
        issuer=ISSUER,
        algorithms=frozenset({algorithm}),
        keys=Published(keys),
        roles_claim="realm_access.roles",
    )


def many(key: Record, count: int) -> Iterator[RawToken]:
    """Sign distinct tokens, quickly."""
    private = OKPAlgorithm.from_jwk(key)
    assert isinstance(private, Ed25519PrivateKey)
    header = base64url.encode(json.dumps({"alg": "EdDSA", "kid": key["kid"], "typ": "at+jwt"}).encode())
    for n in range(count):
        signed = header + b"." + base64url.encode(json.dumps(claims(f"user-{n}")).encode())
        yield RawToken((signed + b"." + base64url.encode(private.sign(signed))).decode())


def timed(run: Callable[[], int]) -> float:
    """Give µs of CPU for one of the things that `run` counts."""
    begin = time.process_time()
    count = run()
    return (time.process_time() - begin) / count * 1e6


def finish(coroutine: Coroutine[Any, Any, int]) -> int:
    """Run what never waits: no event loop is measured."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return int(end.value)
    raise AssertionError("it waited")


def verifier_lap(verifier: JwtVerifier, tokens: list[RawToken], *, forget: bool) -> Lap:
    """Verify each token once."""

    async def run() -> int:
        verify = verifier.verify
        for token in tokens:
            await verify(token, SERVER)
        return len(tokens)

    def lap() -> float:
        if forget:
            verifier.forget()
        return timed(lambda: finish(run()))

    return lap


def digests_lap(tokens: list[RawToken]) -> Lap:
    """The floor of a hit: tokens that nobody looked at for a while have to come from memory first."""

    def run() -> int:
        for token in tokens:
            name(token.text, SERVER)
        return len(tokens)

    return lambda: timed(run)


def pyjwt_lap(algorithm: str, key: Key, tokens: list[str]) -> Lap:
    """The path of most servers: read the header for the kid, then decode."""
    keys: dict[str | None, Any] = {key.kid: key.material}

    def run() -> int:
        for text in tokens:
            kid = jwt.get_unverified_header(text)["kid"]
            jwt.decode(
                text,
                keys[kid],
                algorithms=[algorithm],
                audience=SERVER.audience,
                issuer=ISSUER,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        return len(tokens)

    return lambda: timed(run)


def joserfc_lap(algorithm: str, key: Record, tokens: list[str]) -> Lap:
    keys = jose_keys.KeySet.import_key_set(public_jwks([key]))  # type: ignore[arg-type] # a plain dict will do
    rules = jose.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": SERVER.audience},
        exp={"essential": True},
        sub={"essential": True},
    )

    def run() -> int:
        for text in tokens:
            rules.validate(jose.decode(text, keys, algorithms=[algorithm]).claims)
        return len(tokens)

    return lambda: timed(run)


def bare(material: object, signed: bytes, signature: bytes) -> Callable[[], None]:
    """The signature alone, by `cryptography`: nobody can be faster with it."""
    match material:
        case RSAPublicKey():
            scheme, digest = padding.PKCS1v15(), SHA256()
            return lambda: material.verify(signature, signed, scheme, digest)
        case EllipticCurvePublicKey():
            der, ecdsa = raw_to_der_signature(signature, material.curve), ec.ECDSA(SHA256())
            return lambda: material.verify(der, signed, ecdsa)
        case Ed25519PublicKey():
            return lambda: material.verify(signature, signed)
        case _:
            raise TypeError(type(material))


def bare_lap(key: Key, tokens: list[str]) -> Lap:
    checks = []
    for text in tokens:
        signed, _, signature = text.encode().rpartition(b".")
        checks.append(bare(key.material, signed, base64url.decode(signature)))

    def run() -> int:
        for check in checks:
            check()
        return len(checks)

    return lambda: timed(run)


def laps(algorithm: str) -> dict[str, Lap]:
    key = generate_key(algorithm, development=False)
    by = issuer(algorithm, key)
    public = by.keys.keys[0]
    texts = [mint(key, claims(f"user-{n}")) for n in range(AT_ONCE)]
    verifier = JwtVerifier([by], clock=time.time)
    # A fast wrong answer is worthless: all paths must agree before the clock runs.
    for text in texts[:20]:
        decoded = jwt.decode(text, public.material, algorithms=[algorithm], audience=SERVER.audience)  # type: ignore[arg-type] # a key of PyJWT's kinds
        who = asyncio.run(verifier.verify(RawToken(text), SERVER))
        assert who.subject == decoded["sub"]
        assert who.groups == {f"role:{role}" for role in decoded["realm_access"]["roles"]}
    return {
        f"{algorithm} bare signature": bare_lap(public, texts),
        f"{algorithm} miss": verifier_lap(verifier, [RawToken(text) for text in texts], forget=True),
        f"{algorithm} PyJWT": pyjwt_lap(algorithm, public, texts),
        f"{algorithm} joserfc": joserfc_lap(algorithm, key, texts),
    }


def hit_laps(count: int) -> dict[str, Lap]:
    key = generate_key("EdDSA", development=False)
    verifier = JwtVerifier([issuer("EdDSA", key)], clock=time.time, cache_size=count)
    tokens = list(many(key, count))
    verifier_lap(verifier, tokens, forget=True)()
    anyhow = random.Random(7).sample(tokens, 5_000)
    return {
        f"the digests alone of {count:,} tokens": digests_lap(anyhow),
        "hit, one token": verifier_lap(verifier, [tokens[-1]] * 5_000, forget=False),
        f"hit, {count:,} tokens in random order": verifier_lap(verifier, anyhow, forget=False),
    }


def main() -> None:
    warnings.filterwarnings("ignore", message="EdDSA is deprecated")  # joserfc: its name is, in favour of Ed25519
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 10,000 tokens instead of 100,000")
    quick = parser.parse_args().quick
    rounds, count = (31, 10_000) if quick else (101, 100_000)
    all_laps: dict[str, Lap] = {}
    for algorithm in ALGORITHMS:
        all_laps |= laps(algorithm)
    all_laps |= hit_laps(count)
    times: dict[str, list[float]] = {name: [] for name in all_laps}
    for _ in range(rounds):
        for what, lap in all_laps.items():
            times[what].append(lap())
    report(times, rounds)


def report(times: dict[str, list[float]], rounds: int) -> None:
    """Print medians, and the quietest lap of each path: a busy neighbour slows Python more than a signature."""
    print(f"{'µs of CPU, ' + str(rounds) + ' rounds':<42}{'median':>9}{'lowest':>9}{'highest':>9}")
    for what, found in times.items():
        print(f"{what:<42}{statistics.median(found):>9.1f}{min(found):>9.1f}{max(found):>9.1f}")
    print()
    for algorithm in ALGORITHMS:
        floor, miss, usual, jose = (
            times[f"{algorithm} {what}"] for what in ("bare signature", "miss", "PyJWT", "joserfc")
        )
        above = statistics.median(one - other for one, other in zip(miss, floor, strict=True))  # paired by round
        print(f"{algorithm}: miss - bare {above:.1f} µs, quietest {min(miss) - min(floor):.1f} (goal {MISS_GOAL:g})")
        for library, other in (("PyJWT", usual), ("joserfc", jose)):
            ratio = statistics.median(one / two for one, two in zip(other, miss, strict=True))
            goal = f" (goal {USUAL_GOAL:g} for RS256)" if library == "PyJWT" else ""
            print(f"{algorithm}: {library} / miss {ratio:.1f}, quietest {min(other) / min(miss):.1f}{goal}")
    for what in [what for what in times if what.startswith("hit")]:
        found = times[what]
        print(f"{what}: {statistics.median(found):.1f} µs, quietest {min(found):.1f} (goal {HIT_GOAL:g})")


if __name__ == "__main__":
    main()
