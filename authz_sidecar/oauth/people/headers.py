"""The headers of every page: it runs no script, loads nothing, stands in no frame and is kept by nobody."""

import base64
import hashlib
from importlib import resources
from typing import Final

STYLE: Final = resources.files("authz_sidecar.oauth.people").joinpath("style.css").read_text("utf-8")
"""The one style sheet; it stands in the page itself, and the policy names it by its hash."""

_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

PAGE: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), publickey-credentials-get=()",
    "vary": "cookie, accept-language",
}
"""`form-action 'self'` also stops redirects behind a form in Chromium; so who leaves after a form gets a page that
leads on (`leaving.html`). There is no `cross-origin-opener-policy`: a client may ask in a window that it opened, and
hears of the end through `window.opener`."""
