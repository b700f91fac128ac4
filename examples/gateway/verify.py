"""How a server behind the gateway verifies `X-Authz-Identity`; copy this file, it needs PyJWT alone."""

import base64
import hashlib
import hmac
from typing import Any

import jwt


class Refused(Exception):
    """The header does not say who is calling."""


def verify(token: str, body: bytes, *, jwks: dict[str, Any], issuer: str, audience: str) -> dict[str, Any]:
    """Give the claims of the header for a request with this body, or raise `Refused`.

    `jwks` is what the gateway writes to `identity-jwks.json` in its state directory; `issuer` is its `public_url`,
    `audience` the `url` under which it knows this server. A server that must not do a thing twice remembers each
    `jti` until its `exp`, which is half a minute away.
    """
    try:
        header = jwt.get_unverified_header(token)
        keys = [key for key in jwks["keys"] if key["kid"] == header.get("kid")]
        if header.get("typ") != "authz-identity+jwt" or len(keys) != 1:
            raise Refused("wrong type, or an unknown key")
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(keys[0]).key,
            algorithms=["ES256"],  # ours, not the header's choice
            issuer=issuer,
            audience=audience,
            options={"require": ["aud", "body_sha256", "exp", "iat", "iss", "jti", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise Refused(str(error)) from None
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode("ascii")
    if not hmac.compare_digest(claims["body_sha256"], digest):
        raise Refused("made for another body")
    return claims
