"""A table of hostile and broken tokens: how each is made, and the exact reason for which it is refused."""

import base64
from collections.abc import Callable

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.hostile_claims import CLAIMS
from tests.tokens.hostile_makers import (
    Row,
    bad_header,
    confused,
    der_signature,
    good,
    json_serialization,
    padded,
    raw_claims,
    raw_header,
    resigned,
    segments,
    stray_bits,
    with_claim,
)
from tests.tokens.makers import (
    CANARY,
    DROP,
    NOW,
    SERVER,
    Clock,
    claim_bytes,
    claims,
    forge,
    header_bytes,
    issuer,
    key,
    sign,
    token,
)
from tests.tokens.reasons import ALGORITHM, KEY, MALFORMED, MISSING, SIGNATURE, TYPE

FORM: list[Row] = [
    (lambda: "", MISSING, "nothing at all"),
    (lambda: " ", MALFORMED, "a space"),
    (lambda: ".", MALFORMED, "one dot"),
    (lambda: "..", MALFORMED, "two dots and nothing else"),
    (lambda: "....", MALFORMED, "five empty segments"),
    (lambda: "." * 16_000, MALFORMED, "dots alone up to the limit"),
    (lambda: "x" * 16_385, MALFORMED, "one byte more than the limit"),
    (lambda: "x" * 10_000_000, MALFORMED, "ten megabytes"),
    (lambda: good(padding="x" * 16_384), MALFORMED, "signed but too long"),
    (lambda: "Bearer " + good(), MALFORMED, "with the word Bearer"),
    (lambda: " " + good(), MALFORMED, "a space before"),
    (lambda: good() + " ", MALFORMED, "a space after"),
    (lambda: good() + "\n", MALFORMED, "a line end after"),
    (lambda: good() + "\x00", MALFORMED, "a NUL after"),
    (lambda: segments(lambda s: [s[0][:5] + "\n" + s[0][5:], *s[1:]]), MALFORMED, "a line end within the header"),
    (lambda: segments(lambda s: [s[0], s[1][:5] + " " + s[1][5:], s[2]]), MALFORMED, "a space within the payload"),
    (lambda: segments(lambda s: [s[0], s[1], s[2][:9] + "!" + s[2][9:]]), MALFORMED, "a mark that decoders skip"),
    (lambda: good() + "é", MALFORMED, "a letter outside ASCII"),
    (lambda: good() + "\ud800", MALFORMED, "half a character"),
    (lambda: good().replace(".", "．"), MALFORMED, "wide dots"),
    (lambda: segments(lambda s: s[:2]), MALFORMED, "no signature segment"),
    (lambda: segments(lambda s: s[:1]), MALFORMED, "the header alone"),
    (lambda: segments(lambda s: [*s, s[2]]), MALFORMED, "a second signature"),
    (lambda: segments(lambda s: [*s, ""]), MALFORMED, "a dot after"),
    (lambda: segments(lambda s: [s[0], s[1], s[2], "a", "b"]), MALFORMED, "five segments as if encrypted"),
    (lambda: padded(0), MALFORMED, "padding after the header"),
    (lambda: padded(1), MALFORMED, "padding after the payload"),
    (lambda: padded(2), MALFORMED, "padding after the signature"),
    (stray_bits, MALFORMED, "stray bits in the signature"),
    (lambda: segments(lambda s: [s[0], s[1], s[2] + "AAA"]), MALFORMED, "a length that base64 cannot have"),
    (lambda: segments(lambda s: [s[0], s[1], "+/" + s[2][2:]]), MALFORMED, "the other base64 alphabet"),
    (lambda: segments(lambda s: ["", *s[1:]]), MALFORMED, "an empty header"),
    (lambda: segments(lambda s: [s[0], "", s[2]]), MALFORMED, "an empty payload"),
    (json_serialization, MALFORMED, "the JSON serialization of a JWS"),
    (lambda: f"{CANARY}.{CANARY}.{CANARY}", MALFORMED, "base64 of no JSON"),
]

HEADERS: list[Row] = [
    (lambda: raw_header(b"{"), MALFORMED, "a header cut short"),
    (lambda: raw_header(b"[]"), MALFORMED, "a header that is a list"),
    (lambda: raw_header(b'"ES256"'), MALFORMED, "a header that is a string"),
    (lambda: raw_header(b"null"), MALFORMED, "a header that is null"),
    (lambda: raw_header(b"\xef\xbb\xbf" + header_bytes()), MALFORMED, "a header with a byte order mark"),
    (lambda: raw_header(header_bytes().decode().encode("utf-16")), MALFORMED, "a header in UTF-16"),
    (lambda: raw_header(header_bytes() + b" x"), MALFORMED, "words after the header"),
    (lambda: raw_header(b'{"alg":"ES256","alg":"none"}'), MALFORMED, "alg twice"),
    (lambda: raw_header(b'{"alg":"ES256","Alg":"none"}'), MALFORMED, "alg twice in two cases"),
    (lambda: raw_header(b'{"alg":"ES256","alg\\u0000":"none"}'), MALFORMED, "alg with a NUL in the key"),
    (lambda: raw_header(b'{"alg":"ES256","kid":"a","kid":"b"}'), MALFORMED, "kid twice"),
    (lambda: raw_header(b'{"alg":"ES256","x":NaN}'), MALFORMED, "NaN in the header"),
    (lambda: raw_header(b'{"alg":"ES256","x":' + b"[" * 9 + b"]" * 9 + b"}"), MALFORMED, "a deep header"),
    (lambda: bad_header(x="y" * 4096), MALFORMED, "a long header"),
    (lambda: bad_header(alg=DROP), MALFORMED, "no alg"),
    (lambda: bad_header(alg=None), MALFORMED, "alg null"),
    (lambda: bad_header(alg=["ES256"]), MALFORMED, "alg as a list"),
    (lambda: bad_header(alg=256), MALFORMED, "alg as a number"),
    (lambda: bad_header(alg="ES256\u0000"), MALFORMED, "alg with a NUL"),
    (lambda: bad_header(crit=["exp"], exp=1), MALFORMED, "crit"),
    (lambda: bad_header(crit=[]), MALFORMED, "crit that is empty"),
    (lambda: bad_header(b64=False), MALFORMED, "b64 false without crit"),
    (lambda: bad_header(b64=True), MALFORMED, "b64 true"),
    (lambda: bad_header(jku="https://evil.example/jwks"), MALFORMED, "jku"),
    (lambda: bad_header(x5u="https://evil.example/cert"), MALFORMED, "x5u"),
    (lambda: bad_header(jwk={"kty": "oct", "k": "AA"}), MALFORMED, "a key of its own"),
    (lambda: bad_header(x5c=["AA"]), MALFORMED, "a certificate of its own"),
    (lambda: bad_header(kid=7), MALFORMED, "kid as a number"),
    (lambda: bad_header(kid=None), MALFORMED, "kid null"),
    (lambda: bad_header(kid=""), MALFORMED, "kid empty"),
    (lambda: bad_header(kid="a\nb"), MALFORMED, "kid with a line end"),
    (lambda: bad_header(kid="k" * 1025), MALFORMED, "kid too long"),
    (lambda: bad_header(typ=7), MALFORMED, "typ as a number"),
    (lambda: bad_header(typ="at+jwt\u212a"), MALFORMED, "typ with a letter that folds to k"),
]

TYPES: list[Row] = [
    (lambda: bad_header(typ="id_token"), TYPE, "an ID token by typ"),
    (lambda: bad_header(typ="logout+jwt"), TYPE, "a logout token"),
    (lambda: bad_header(typ="dpop+jwt"), TYPE, "a DPoP proof"),
    (lambda: bad_header(typ="secevent+jwt"), TYPE, "a security event"),
    (lambda: bad_header(typ="authz-identity+jwt"), TYPE, "our own identity header"),
    (lambda: bad_header(typ="oauth-id-jag+jwt"), TYPE, "an identity assertion grant"),
    (lambda: bad_header(typ="JWE"), TYPE, "a type that is no JWT"),
    (lambda: bad_header(typ=" at+jwt"), TYPE, "typ with a space"),
    (lambda: good(typ="ID"), TYPE, "an ID token of Keycloak"),
    (lambda: good(typ="Refresh"), TYPE, "a refresh token of Keycloak"),
    (lambda: good(typ="Offline"), TYPE, "an offline token of Keycloak"),
    (lambda: good(typ=7), TYPE, "a typ claim that is a number"),
    (lambda: good(token_use="id"), TYPE, "an ID token of Cognito"),
    (lambda: good(at_hash="x"), TYPE, "an ID token by at_hash"),
    (lambda: good(c_hash="x"), TYPE, "an ID token by c_hash"),
    (lambda: good(events={}), TYPE, "an event by its claim"),
]

KEYS: list[Row] = [
    (lambda: forge({"alg": "none"}, claims(sub=CANARY)), ALGORITHM, "alg none, unsigned"),
    (lambda: forge({"alg": "None"}, claims(sub=CANARY)), ALGORITHM, "alg None"),
    (lambda: forge({"alg": "NONE", "typ": "at+jwt"}, claims(sub=CANARY)), ALGORITHM, "alg NONE"),
    (lambda: forge({"alg": "nOnE", "kid": "es256-1"}, claims(sub=CANARY)), ALGORITHM, "alg nOnE with a known kid"),
    (lambda: forge({"alg": "none"}, claims(sub=CANARY), b"x" * 64), ALGORITHM, "alg none with a signature"),
    (lambda: bad_header(alg="none"), ALGORITHM, "alg none with the right signature of another algorithm"),
    (lambda: bad_header(alg=""), ALGORITHM, "alg empty"),
    (lambda: bad_header(alg="es256"), ALGORITHM, "alg in lower case"),
    (lambda: bad_header(alg=" none"), ALGORITHM, "alg none after a space"),
    (lambda: bad_header(alg="ES256K"), ALGORITHM, "an algorithm of a curve that nobody configured"),
    (lambda: bad_header(alg="ES512"), ALGORITHM, "an algorithm that the issuer does not use"),
    (lambda: bad_header(alg="PS256"), ALGORITHM, "PSS where PKCS #1 is configured"),
    (lambda: bad_header(alg="RSA-OAEP"), ALGORITHM, "an algorithm for encryption"),
    (confused, ALGORITHM, "the public key as HMAC secret"),
    (lambda: resigned("RS256", "ES256", "es256-1"), ALGORITHM, "RS256 on an EC key"),
    (lambda: resigned("ES256", "RS256", "rs256-1"), ALGORITHM, "ES256 on an RSA key"),
    (lambda: resigned("EdDSA", "ES256", "es256-1"), ALGORITHM, "EdDSA on an EC key"),
    (lambda: bad_header(kid="unknown"), KEY, "a kid that nobody has"),
    (lambda: bad_header(kid="ES256-1"), KEY, "a kid in another case"),
    (lambda: bad_header(kid="es256-1 "), KEY, "a kid with a space"),
    (lambda: bad_header(kid="../../dev/null"), KEY, "a kid that is a path"),
    (lambda: bad_header(kid="x' UNION SELECT 'secret"), KEY, "a kid that is a query"),
    (lambda: resigned("ES256", "EdDSA", "es256-1"), SIGNATURE, "signed by another key of the issuer"),
    (lambda: sign(header_bytes(), claim_bytes(), key("ES256", "stranger")), SIGNATURE, "signed by a stranger"),
    (lambda: segments(lambda s: [s[0], s[1], ""]), SIGNATURE, "an empty signature"),
    (lambda: segments(lambda s: [s[0], s[1], "A" * 86]), SIGNATURE, "a signature of zeros"),
    (lambda: segments(lambda s: [s[0], s[1], s[2][:42] + "B"]), MALFORMED, "half a signature with stray bits"),
    (lambda: segments(lambda s: [s[0], s[1], s[2][:40]]), SIGNATURE, "half a signature"),
    (lambda: segments(lambda s: [s[0], s[1], s[2][:84] + s[2]]), SIGNATURE, "a signature twice as long"),
    (lambda: segments(lambda s: [s[0], token().split(".")[1], s[2]]), SIGNATURE, "the payload of another token"),
    (lambda: segments(lambda s: [base64url.encode(header_bytes(x=1)).decode(), *s[1:]]), SIGNATURE, "another header"),
    (lambda: segments(lambda s: [s[0], base64url.encode(claim_bytes(exp=NOW + 9e6)).decode(), s[2]]), SIGNATURE,
     "a later exp under the old signature"),
    (der_signature, SIGNATURE, "an ECDSA signature in DER"),
]  # fmt: skip

ROWS = [pytest.param(make, reason, id=words) for make, reason, words in FORM + HEADERS + TYPES + KEYS + CLAIMS]


def test_the_table_has_no_row_twice() -> None:
    words = [row.id for row in ROWS]
    assert len(set(words)) == len(words) >= 100


@pytest.mark.parametrize(("make", "reason"), ROWS)
async def test_a_hostile_token_is_refused_for_its_own_reason(make: Callable[[], str], reason: Reason) -> None:
    verifier = JwtVerifier([issuer()], clock=Clock())
    text = make()
    for _ in range(2):  # also when it comes again: failures are not remembered as anything else
        with pytest.raises(TokenError) as caught:
            await verifier.verify(RawToken(text), SERVER)
        assert caught.value.reason is reason, caught.value
        detail = str(caught.value)
        assert detail
        assert CANARY not in detail
        assert base64.urlsafe_b64encode(CANARY.encode()).decode()[:12] not in detail
        assert not any(part[:12] in detail for part in text.split(".") if len(part) >= 12)
        assert caught.value.__cause__ is None


async def test_the_token_that_every_row_spoils_is_good() -> None:
    verifier = JwtVerifier([issuer()], clock=Clock())
    for text in (good(), bad_header(), raw_claims(claim_bytes(sub=CANARY)), with_claim('"x": 1')):
        assert (await verifier.verify(RawToken(text), SERVER)).user == f"user:{CANARY}"
