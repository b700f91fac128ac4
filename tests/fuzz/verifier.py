"""The verifier: any text, and anything that a broken issuer could sign, is refused in order or is the good token."""

import json
from typing import Final

from tests.fuzz.target import Limit, finish
from tests.tokens.fuzz import GOOD, VALID, check
from tests.tokens.makers import header_bytes, sign

LIMIT: Final = Limit(steps=20_000, steps_a_byte=100, memory=400_000, memory_a_byte=1_000)
WORDS: Final = (
    *('"alg":"none"', '"HS256"', '"ES256"', '"kid":', '"crit":["', '"b64":false', '"jku":', '"jwk":{', '"typ":"JWT"'),
    *('"exp":', '"nbf":', '"iat":', '"aud":[', '"iss":', '"sub":', '"act":{"sub":', '"cnf":{', '"scope":', '"_claim_'),
    *("1e400", "-1", "9" * 25, "\\u0000", "\\ud800", "null", "NaN", ".", "=="),
)
_BODY: Final = json.dumps(GOOD).encode()
SEEDS: Final = (
    b"t" + VALID.encode(),
    b"s" + header_bytes() + b"\n" + _BODY,
    b"s" + header_bytes(alg="none") + b"\n" + _BODY,
    b"s" + header_bytes(crit=["exp"]) + b"\n" + _BODY,
    b"s" + header_bytes() + b"\n" + _BODY.replace(b'"alice"', b'{"a": [[[[]]]]}'),
    b"teyJhbGciOiJub25lIn0.e30.",
    b"t" + b"." * 100,
)


def run(data: bytes) -> None:
    """Take the bytes as a token, or as the two parts that are then signed with the right key."""
    kind, rest = data[:1], data[1:]
    if kind == b"s":
        head, _, body = rest.partition(b"\n")
        finish(check(sign(head, body)))
    else:
        finish(check(rest.decode("utf-8", "surrogateescape")))
