"""A table of hostile and broken tokens: how each is made, and the exact reason for which it is refused."""

import base64
from collections.abc import Callable

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.hostile_makers import (
    acting,
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
    ISSUER,
    NOW,
    OTHER_SERVER,
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
)  # fmt: skip

MISSING, MALFORMED = Reason.TOKEN_MISSING, Reason.TOKEN_MALFORMED
TYPE, ALGORITHM = Reason.TOKEN_TYPE_NOT_ALLOWED, Reason.TOKEN_ALGORITHM_NOT_ALLOWED
KEY, SIGNATURE, FOREIGN = Reason.TOKEN_KEY_UNKNOWN, Reason.TOKEN_SIGNATURE_INVALID, Reason.TOKEN_ISSUER_UNKNOWN
AUDIENCE, EXPIRED, EARLY = Reason.TOKEN_AUDIENCE_MISMATCH, Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID
CLAIM, BOUND = Reason.TOKEN_CLAIM_MISSING, Reason.TOKEN_BINDING_MISSING


Row = tuple[Callable[[], str], Reason, str]

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

CLAIMS: list[Row] = [
    (lambda: raw_claims(b"{}"), CLAIM, "no claims"),
    (lambda: raw_claims(b"[]"), MALFORMED, "claims that are a list"),
    (lambda: raw_claims(b"null"), MALFORMED, "claims that are null"),
    (lambda: raw_claims(b"\xff\xfe{}"), MALFORMED, "claims that are not UTF-8"),
    (lambda: raw_claims(b'{"a":' * 17 + b"1" + b"}" * 17), MALFORMED, "deep claims"),
    (lambda: raw_claims(b'{"a":' * 3000 + b"1" + b"}" * 3000), MALFORMED, "claims that exhaust a recursive parser"),
    (lambda: with_claim('"sub": "root"'), MALFORMED, "sub twice"),
    (lambda: with_claim('"Sub": "root"'), MALFORMED, "sub twice in two cases"),
    (lambda: with_claim('"\\u017fub": "root"'), MALFORMED, "sub twice with a long s"),
    (lambda: with_claim('"sub\\u0000": "root"'), MALFORMED, "sub with a NUL in the key"),
    (lambda: with_claim('"x": {"a": 1, "a": 2}'), MALFORMED, "a key twice within a claim"),
    (lambda: with_claim('"x": "\\ud800"'), MALFORMED, "half a character in a claim"),
    (lambda: with_claim('"x": Infinity'), MALFORMED, "Infinity in a claim"),
    (lambda: with_claim('"x": 1e999'), MALFORMED, "a number beyond doubles"),
    (lambda: with_claim('"x": 1' + "0" * 5000), MALFORMED, "a number of 5,000 digits"),
    (lambda: good(iss=DROP), CLAIM, "no iss"),
    (lambda: good(iss=None), MALFORMED, "iss null"),
    (lambda: good(iss=""), MALFORMED, "iss empty"),
    (lambda: good(iss=[ISSUER]), MALFORMED, "iss as a list"),
    (lambda: good(iss=ISSUER + "/"), FOREIGN, "iss with a slash more"),
    (lambda: good(iss=ISSUER[:-1]), FOREIGN, "the beginning of iss"),
    (lambda: good(iss=ISSUER.upper()), FOREIGN, "iss in another case"),
    (lambda: good(iss="https://idp.examp\u217ce"), FOREIGN, "iss with a letter that looks alike"),
    (lambda: good(iss="https://evil.example"), FOREIGN, "another issuer"),
    (lambda: good(exp=DROP), CLAIM, "no exp"),
    (lambda: good(exp=None), MALFORMED, "exp null"),
    (lambda: good(exp=True), MALFORMED, "exp true"),
    (lambda: good(exp=str(NOW + 9)), MALFORMED, "exp as a string"),
    (lambda: good(exp=[NOW + 9]), MALFORMED, "exp as a list"),
    (lambda: good(exp=-1), MALFORMED, "exp before 1970"),
    (lambda: good(exp=2**63), MALFORMED, "exp beyond the year 9999"),
    (lambda: good(exp=(NOW + 300) * 1000), MALFORMED, "exp in milliseconds"),
    (lambda: with_claim('"nbf": 1e308'), MALFORMED, "nbf as a huge float"),
    (lambda: good(exp=0), EXPIRED, "exp zero"),
    (lambda: good(exp=NOW - 3600), EXPIRED, "ended an hour ago"),
    (lambda: good(exp=NOW - 30), EXPIRED, "ended exactly a leeway ago"),
    (lambda: good(nbf=NOW + 31), EARLY, "counts after the leeway"),
    (lambda: good(nbf="0"), MALFORMED, "nbf as a string"),
    (lambda: good(nbf=False), MALFORMED, "nbf false"),
    (lambda: good(iat=NOW + 31), EARLY, "issued in the future"),
    (lambda: good(iat={}), MALFORMED, "iat as an object"),
    (lambda: good(aud=DROP), CLAIM, "no aud"),
    (lambda: good(aud=None), MALFORMED, "aud null"),
    (lambda: good(aud=[]), AUDIENCE, "aud as an empty list"),
    (lambda: good(aud=""), MALFORMED, "aud empty"),
    (lambda: good(aud=[SERVER.audience, 7]), MALFORMED, "aud with a number beside the right one"),
    (lambda: good(aud=[[SERVER.audience]]), MALFORMED, "aud as a list of lists"),
    (lambda: good(aud={SERVER.audience: 1}), MALFORMED, "aud as an object"),
    (lambda: good(aud=[f"https://{n}.example" for n in range(64)] + [SERVER.audience]), MALFORMED, "65 audiences"),
    (lambda: good(aud=OTHER_SERVER.audience), AUDIENCE, "the audience of another server"),
    (lambda: good(aud=SERVER.audience + "/"), AUDIENCE, "aud with a slash more"),
    (lambda: good(aud=SERVER.audience[:-1]), AUDIENCE, "the beginning of aud"),
    (lambda: good(aud=SERVER.audience.upper()), AUDIENCE, "aud in another case"),
    (lambda: good(aud=SERVER.name), AUDIENCE, "the server's name instead of its audience"),
    (lambda: good(aud="*"), AUDIENCE, "aud as a star"),
    (lambda: good(aud=f"{SERVER.audience} https://x.example"), AUDIENCE, "two audiences in one string"),
    (lambda: good(sub=DROP), CLAIM, "no sub"),
    (lambda: good(sub=""), MALFORMED, "sub empty"),
    (lambda: good(sub=None), MALFORMED, "sub null"),
    (lambda: good(sub=0), MALFORMED, "sub as a number"),
    (lambda: good(sub=["alice"]), MALFORMED, "sub as a list"),
    (lambda: good(sub="s" * 1025), MALFORMED, "sub too long"),
    (lambda: good(sub="alice\nuser:root"), MALFORMED, "sub with a line end"),
    (lambda: good(sub="alice\x00"), MALFORMED, "sub with a NUL"),
    (lambda: good(sub="alice\x85"), MALFORMED, "sub with a C1 control"),
    (lambda: good(sub="\u202eecila"), MALFORMED, "sub that turns the direction of text"),
    (lambda: good(cnf={"jkt": "x"}), BOUND, "bound to a DPoP key"),
    (lambda: good(cnf={"x5t#S256": "x"}), BOUND, "bound to a certificate"),
    (lambda: good(cnf=None), BOUND, "bound to nothing that could be read"),
    (lambda: good(scope=7), MALFORMED, "scope as a number"),
    (lambda: good(scope="a\tb"), MALFORMED, "scope with a tab"),
    (lambda: good(scp=["a b"]), MALFORMED, "a scope with a space in a list"),
    (lambda: good(scp=[7]), MALFORMED, "a scope that is a number"),
    (lambda: good(scopes={"a": 1}), MALFORMED, "scopes as an object"),
    (lambda: good(client_id=7), MALFORMED, "client_id as a number"),
    (lambda: good(client_id=DROP, azp=""), MALFORMED, "azp empty"),
    (lambda: good(jti=7), MALFORMED, "jti as a number"),
    (lambda: good(act="bot"), MALFORMED, "act as a string"),
    (lambda: good(act=None), MALFORMED, "act null"),
    (lambda: good(act=["bot"]), MALFORMED, "act as a list"),
    (lambda: good(act={}), MALFORMED, "act that names nobody"),
    (lambda: good(act={"client_id": "bot"}), MALFORMED, "act that names a client instead"),
    (lambda: good(act={"sub": 7}), MALFORMED, "act with a number as sub"),
    (lambda: good(act={"sub": "bot", "iss": 7}), MALFORMED, "act with a number as iss"),
    (lambda: good(act={"sub": "bot", "act": "older"}), MALFORMED, "a prior actor as a string"),
    (lambda: good(act={"sub": "bot", "act": {}}), MALFORMED, "a prior actor that is nobody"),
    (lambda: good(act={"sub": "bot", "act": {"sub": "a\nb"}}), MALFORMED, "a prior actor with a line end"),
    (lambda: good(act=acting(9)), MALFORMED, "nine actors"),
    (lambda: good(act={"sub": ""}), MALFORMED, "act with an empty sub"),
    (lambda: good(act={"sub": "bot", "iss": "https://evil.example"}), FOREIGN, "an actor of another issuer"),
]

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
