"""The checks of a token, in their order: each passes, or raises `TokenError` with its own reason.

The verifier runs them until one fails; `inspect` runs all that still make sense and tells what each found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Reason
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens import claims as read
from authz_sidecar.tokens import header as headers
from authz_sidecar.tokens.case import Case
from authz_sidecar.tokens.claims import malformed, missing
from authz_sidecar.tokens.issuer import media_type
from authz_sidecar.tokens.principal import principal

# What providers write into the `typ` or `token_use` claim of an access token. Keycloak writes `ID`, `Refresh`,
# `Offline` or `Logout` into the others, all with the same header; Cognito writes `id`.
_ACCESS_MARKS: Final = frozenset({"bearer", "dpop", "access", "access_token"})
# Claims that only other kinds of token have: OpenID Connect Core sections 3.1.3.6 and 3.3.2.11, RFC 8417 section 2.2.
_MARKS: Final = {"at_hash": "id_token", "c_hash": "id_token", "s_hash": "id_token", "events": "secevent+jwt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check."""

    name: str
    passed: str
    """What is known once it passed, for people."""
    needs: tuple[str, ...]
    """Steps whose findings it uses."""
    check: Callable[[Case], None]


def size(case: Case) -> None:
    """Bound the work before doing any."""
    if not case.text:
        raise TokenError(Reason.TOKEN_MISSING, "there is no token")
    if len(case.text) > case.max_bytes:
        raise malformed(f"the token is longer than {case.max_bytes} bytes")


def form(case: Case) -> None:
    """Take the three segments apart (RFC 7515 section 3.1)."""
    try:
        data = case.text.encode("ascii")
    except UnicodeEncodeError:
        raise malformed("the token has a character that is not ASCII") from None
    segments = data.split(b".", 5)
    if len(segments) != 3:
        what = "encrypted tokens are not accepted" if len(segments) == 5 else "expected three segments"
        raise malformed(f"{what}, and not {'more' if len(segments) > 5 else len(segments)}")
    case.payload = segments[1]
    case.signed = data[: len(data) - len(segments[2]) - 1]
    try:
        case.signature = base64url.decode(segments[2])
    except ValueError:
        raise malformed("the signature is not canonical base64url") from None


def header(case: Case) -> None:
    """Read the header."""
    case.header = headers.read(case.signed[: -len(case.payload) - 1])


def payload(case: Case) -> None:
    """Read the claims, which nobody vouches for yet."""
    case.claims = headers.json_object(case.payload, "the payload", max_depth=16)


def issuer(case: Case) -> None:
    """Choose the issuer before any key: a key speaks for its own issuer alone."""
    found = case.issuers.get(read.required_name(case.claims, "iss"))
    if found is None:
        raise TokenError(Reason.TOKEN_ISSUER_UNKNOWN, "`iss` is not a configured issuer")
    case.issuer = found


def kind(case: Case) -> None:
    """Refuse what is not an access token (RFC 9068 section 4, RFC 8725 section 3.11)."""
    allowed = case.issuer.types
    if media_type(case.header.typ) not in allowed:
        raise TokenError(Reason.TOKEN_TYPE_NOT_ALLOWED, f"the issuer `{case.issuer.alias}` does not accept this `typ`")
    marks(case)


def marks(case: Case) -> None:
    """Refuse claims that say what else the token is."""
    allowed = case.issuer.types
    for claim, mark in _MARKS.items():
        if claim in case.claims and mark not in allowed:
            raise TokenError(Reason.TOKEN_TYPE_NOT_ALLOWED, f"a token with `{claim}` is not an access token")
    for claim in ("typ", "token_use"):
        if claim in case.claims and not _access(case.claims[claim], allowed):
            raise TokenError(
                Reason.TOKEN_TYPE_NOT_ALLOWED, f"the claim `{claim}` does not say that this is an access token"
            )


def _access(mark: object, allowed: frozenset[str]) -> bool:
    if not isinstance(mark, str):
        return False
    word = media_type(mark)
    return word in _ACCESS_MARKS or word in allowed or (word == "id" and "id_token" in allowed)


def algorithm(case: Case) -> None:
    """Hold `alg` against the issuer's list."""
    if case.header.alg not in case.issuer.algorithms:
        raise TokenError(
            Reason.TOKEN_ALGORITHM_NOT_ALLOWED, f"`alg` is not an algorithm of the issuer `{case.issuer.alias}`"
        )


def key(case: Case) -> None:
    """Find the key within the issuer; its record must be for this algorithm."""
    case.key = case.issuer.keys.find(case.header.kid, case.header.alg)


def signature(case: Case) -> None:
    """Verify the signature over the very bytes that were presented."""
    if not case.key.verifies(case.header.alg, case.signed, case.signature):
        raise TokenError(Reason.TOKEN_SIGNATURE_INVALID, "the signature does not match")


def expiry(case: Case) -> None:
    """Refuse a token that ended, or would never end."""
    ends = read.moment(case.claims, "exp")
    if ends is None:
        raise missing("`exp` is absent")
    if case.now >= ends + case.issuer.leeway:
        raise TokenError(Reason.TOKEN_EXPIRED, f"`exp` passed {case.now - ends:.0f} s ago")
    case.expires_at = ends


def beginning(case: Case) -> None:
    """Refuse a token that does not count yet."""
    case.not_before = 0.0
    for claim in ("nbf", "iat"):
        begins = read.moment(case.claims, claim)
        if begins is None:
            continue
        if begins > case.now + case.issuer.leeway:
            raise TokenError(Reason.TOKEN_NOT_YET_VALID, f"`{claim}` is {begins - case.now:.0f} s in the future")
        case.not_before = max(case.not_before, begins)


def audience(case: Case) -> None:
    """Refuse a token for somebody else (RFC 8707; a token for one server must not open another)."""
    if case.server is None:
        read.audiences(case.claims)
        return
    expected = case.server.audience_for(case.issuer.alias)
    # The first is the usual case, and quick.
    if case.claims.get("aud") != expected and expected not in read.audiences(case.claims):
        raise TokenError(Reason.TOKEN_AUDIENCE_MISMATCH, f"`aud` does not name `{expected}`, the server's audience")


def binding(case: Case) -> None:
    """Refuse a token that is bound to a key (RFC 7800): whoever stole it presents it just like this."""
    if "cnf" in case.claims:
        raise TokenError(Reason.TOKEN_BINDING_MISSING, "the token is bound to a key (`cnf`) and came as plain bearer")


def required(case: Case) -> None:
    """Look for the claims, and their values, that the issuer's configuration requires."""
    for claim in sorted(case.issuer.required_claims):
        read.mapped(case.claims, claim)
    for claim, accepted in case.issuer.required_values.items():
        value = read.mapped(case.claims, claim)
        found = value if isinstance(value, list) else [value]
        if not any(isinstance(one, str) and one in accepted for one in found):
            raise missing(f"the claim `{claim}` has none of the values that the issuer's configuration requires")


def caller(case: Case) -> None:
    """Name the caller."""
    case.principal = principal(
        case.claims,
        case.issuer,
        expires_at=case.expires_at,
        development=case.issuer.development or case.key.development,
    )


def _step(check: Callable[[Case], None], passed: str, *needs: str) -> Step:
    return Step(name=check.__name__, passed=passed, needs=needs, check=check)


STEPS: Final = (
    _step(size, "the token has a sane length"),
    _step(form, "three segments, each in its one spelling", "size"),
    _step(header, "the header is unambiguous and brings no key", "form"),
    _step(payload, "the payload is an unambiguous JSON object", "form"),
    _step(issuer, "`iss` is a configured issuer", "payload"),
    _step(kind, "the token is an access token", "header", "issuer"),
    _step(algorithm, "`alg` is one of the issuer's algorithms", "header", "issuer"),
    _step(key, "the issuer has a key for this token", "algorithm"),
    _step(signature, "the issuer signed this token", "key"),
    _step(expiry, "the token has not ended", "issuer"),
    _step(beginning, "the token counts already", "issuer"),
    _step(audience, "the token is for this server", "issuer"),
    _step(binding, "the token is not bound to a key", "payload"),
    _step(required, "every required claim is there", "issuer"),
    _step(caller, "the caller has a name", "issuer", "key", "expiry"),
)
"""All checks. The order is not a setting."""
