"""JWT assertions (RFC 7523): signed by a client or an identity provider, for us alone, and used once."""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt
from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from authz_sidecar.oauth import opaque
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauth.tables import assertions
from authz_sidecar.ports import Clock

SIGNED_WITH: Final = ("ES256", "ES384", "PS256", "RS256", "EdDSA")
LEEWAY: Final = 30.0
LONGEST_LIFE: Final = 3_600.0
"""Seconds: so long is a used one remembered, at most; some libraries sign for an hour unless told otherwise."""

_LONGEST: Final = 16_384
_SEGMENTS: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KTY: Final = {"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "EdDSA": ("OKP", "Ed25519")}
_PUBLIC: Final = ("kty", "crv", "x", "y", "n", "e")
_EXPONENT: Final = re.compile(r"[A-Za-z0-9_-]{1,11}")  # 64 bits: a longer one costs us, and gains nothing
_MODULUS: Final = re.compile(r"[A-Za-z0-9_-]{342,1366}")  # 2,048 to 8,192 bits

Claims = Mapping[str, Any]


class AssertionRefused(Exception):
    """The assertion proves nothing; the message is for our log and holds no byte of it."""


def issuer_of(assertion: str) -> str:
    """Say who claims to have signed it; believed by nobody before the signature is checked."""
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False}) if len(assertion) <= _LONGEST else {}
    except jwt.PyJWTError:
        return ""
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else ""


def names_one(assertion: str, keys: Iterable[Mapping[str, object]]) -> bool:
    """Say whether exactly one of the keys fits its header: another look at where they are published is in vain."""
    try:
        _key(jwt.get_unverified_header(assertion), keys)
    except (jwt.PyJWTError, AssertionRefused, KeyError):
        return False
    return True


def read(
    assertion: str, *, keys: Iterable[Mapping[str, object]], issuer: str, audiences: Iterable[str], typ: str | None
) -> Claims:
    """Give the claims when one of the issuer's keys signed them for us, or raise `AssertionRefused`.

    `typ` None accepts `JWT` or none, as client assertions have; times are checked by `fresh`.
    """
    if len(assertion) > _LONGEST or not _SEGMENTS.fullmatch(assertion) or not _canonical(assertion):
        raise AssertionRefused("it is no JWT in its one spelling")
    try:
        header = jwt.get_unverified_header(assertion)
        _check_header(header, typ)
        key = _key(header, keys)
        claims: Claims = jwt.decode(
            assertion,
            jwt.PyJWK(dict(key), algorithm=header["alg"]),
            algorithms=[header["alg"]],
            issuer=issuer,
            options={
                "require": ["iss", "sub", "aud", "exp", "jti"],
                "verify_aud": False,  # below: ours must be the only one
                "verify_exp": False,  # by our own clock, in `fresh`
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise AssertionRefused(f"it cannot be verified: {type(error).__name__}") from None
    # Another audience beside ours could hand it on to us (draft-ietf-oauth-rfc7523bis).
    aud = claims["aud"]
    only = aud[0] if isinstance(aud, list) and len(aud) == 1 else aud
    if not isinstance(only, str) or only not in set(audiences):
        raise AssertionRefused("`aud` is not this server alone")
    for name in ("sub", "jti"):
        if not isinstance(claims[name], str) or not 0 < len(claims[name]) <= 1_024:
            raise AssertionRefused(f"`{name}` is not a name")
    return claims


def fresh(claims: Claims, now: float) -> float:
    """Give when it ends; raises `AssertionRefused` for one that is over, not yet valid, or lives too long."""
    times: dict[str, float] = {}
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise AssertionRefused(f"`{name}` is not a number")
        if value is not None:
            try:
                times[name] = float(value)
            except OverflowError:
                raise AssertionRefused(f"`{name}` is beyond all times") from None
    if not now - LEEWAY < times["exp"] <= now + LONGEST_LIFE + LEEWAY:
        raise AssertionRefused("it has ended, or lives longer than an hour")
    if any(times.get(name, now) > now + LEEWAY for name in ("iat", "nbf")):
        raise AssertionRefused("it is not valid yet")
    return times["exp"]


class Replays:
    """Remembers assertions until they end."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        """Take the database: what one process has seen, all have."""
        self._store = store
        self._clock = clock

    async def spend(self, claims: Claims) -> None:
        """Use an assertion up; of any number who try at once, one succeeds. Raises `AssertionRefused`."""
        ends = fresh(claims, self._clock())
        key = opaque.digest(f"{len(claims['iss'])}:{claims['iss']}{claims['jti']}")
        try:
            async with self._store.write() as db:
                await db.execute(insert(assertions).values(hash=key, expires_at=ends + LEEWAY))
        except IntegrityError:
            raise AssertionRefused("it was used before") from None

    async def tidy(self) -> None:
        """Forget what has ended."""
        async with self._store.write() as db:
            await db.execute(delete(assertions).where(assertions.c.expires_at < self._clock()))


def _check_header(header: Mapping[str, Any], typ: str | None) -> None:
    if header.get("alg") not in SIGNED_WITH:
        raise AssertionRefused("its algorithm is not accepted")
    if "crit" in header:
        raise AssertionRefused("it has critical extensions")
    found = str(header.get("typ", "")).lower().removeprefix("application/")
    # RFC 8725 section 3.11: a token of another kind, signed by the same key, is not this one.
    if found != typ if typ is not None else found not in ("", "jwt", "client-authentication+jwt"):
        raise AssertionRefused("it is of another type")


def _key(header: Mapping[str, Any], keys: Iterable[Mapping[str, object]]) -> Mapping[str, object]:
    algorithm, kid = header["alg"], header.get("kid")
    fitting = [key for key in keys if _fits(key, algorithm) and (kid is None or key.get("kid", kid) == kid)]
    if len(fitting) != 1:
        raise AssertionRefused(f"{len(fitting)} keys fit its header, expected one")
    # Its public half alone: from a private one the library would work out primes, for as long as a stranger wants.
    return {name: value for name, value in fitting[0].items() if name in _PUBLIC}


def _fits(key: Mapping[str, object], algorithm: str) -> bool:
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return False
    operations = key.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return False
    if algorithm in _KTY:
        return (key.get("kty"), key.get("crv")) == _KTY[algorithm]
    return key.get("kty") == "RSA" and _is(_MODULUS, key.get("n")) and _is(_EXPONENT, key.get("e"))


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _canonical(assertion: str) -> bool:
    for segment in assertion.split("."):
        padded = segment + "=" * (-len(segment) % 4)
        try:
            if base64.urlsafe_b64encode(base64.urlsafe_b64decode(padded)).rstrip(b"=").decode() != segment:
                return False
        except ValueError:
            return False
    return True
