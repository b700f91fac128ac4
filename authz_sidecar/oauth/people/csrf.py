"""Ties a form to the browser that it was shown to, and to what was shown (CSRF, login CSRF)."""

import hashlib
import hmac
from typing import Final

_LABEL: Final = b"authz-sidecar form v1"


def token(secret: str, purpose: str, shown: str = "") -> str:
    """Make the token of a form.

    `secret` is the value of the browser's own cookie, which no page can read; `purpose` says which form it is, and
    `shown` what stood in it: a consent to one request is none to another.
    """
    parts = (purpose.encode(), hashlib.sha256(shown.encode(errors="surrogatepass")).digest())
    # A purpose is a word of ours without NUL, so no two inputs are joined to the same message.
    message = b"\0".join((_LABEL, *parts))
    return hmac.new(secret.encode(errors="surrogatepass"), message, hashlib.sha256).hexdigest()


def fits(given: str, secret: str, purpose: str, shown: str = "") -> bool:
    """Say whether the form is ours; an absent cookie or token never fits."""
    if not secret or not given:
        return False
    wanted = token(secret, purpose, shown)
    return hmac.compare_digest(wanted.encode(), given.encode(errors="surrogatepass"))
