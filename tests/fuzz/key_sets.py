"""Key sets: any bytes that an issuer publishes are keys that verify safely, or refused."""

import json
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import mint
from authz_sidecar.tokens.keys import parse_keys, parse_published
from tests.fuzz.target import Limit
from tests.tokens.makers import SECRET, key

LIMIT: Final = Limit(steps=10_000, steps_a_byte=100, memory=400_000, memory_a_byte=1_000)
WORDS: Final = (
    *('"kty":"RSA"', '"kty":"EC"', '"kty":"OKP"', '"kty":"oct"', '"crv":"P-256"', '"crv":"P-521"', '"crv":"Ed25519"'),
    *(
        '"use":"enc"',
        '"key_ops":["verify"]',
        '"alg":"RS256"',
        '"alg":"HS256"',
        '"kid":',
        '"n":"',
        '"e":"AQAB"',
        '"x":"',
    ),
    *("-----BEGIN PUBLIC KEY-----", '{"keys":[', "]}", "AAAA"),
)
SEEDS: Final = (
    *(json.dumps(mint.public_jwks([key(name)])).encode() for name in ("RS256", "ES256", "EdDSA")),
    json.dumps({"keys": [SECRET]}).encode(),
    json.dumps(mint.public_jwks([key("RS256"), key("ES256")])).encode(),
    b'{"keys": []}',
)


def run(data: bytes) -> None:
    """Read it as an operator's file and as an issuer's answer."""
    for read in (parse_keys, parse_published):
        try:
            found = read(data)
        except ConfigError:
            continue
        for one in found.keys:
            assert one.algorithms, "a key that is for nothing"
            assert read is not parse_published or one.kty != "oct", "a published secret verifies nothing"
            for algorithm in one.algorithms:
                assert not one.verifies(algorithm, b"signed", b"\0" * 64), "a signature of zeros"
