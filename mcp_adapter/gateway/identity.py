"""The headers that tell a server who is calling, in place of the caller's token."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from mcp_adapter.asgi_types import Scope
from mcp_adapter.gateway.carry import RawHeaders
from mcp_adapter.gateway.signer import Signer, b64
from mcp_adapter.gateway.tell import passed
from mcp_adapter.principal import SCOPE_KEY, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Makes them for one server."""

    signer: Signer | None
    """None: no `X-Authz-Identity`."""
    issuer: str
    """The gateway's public URL."""
    audience: str
    """The server's URL: an identity that was made for one server is no good for another."""
    server: str
    seconds: int = 30
    plain: bool = False
    clock: Callable[[], float] = time.time

    def headers(self, scope: Scope, body: bytes) -> RawHeaders:
        """Give the headers for one request; none when nobody was verified, as can be in observe mode."""
        principal = scope.get(SCOPE_KEY)
        if not isinstance(principal, Principal):
            return []
        found: RawHeaders = []
        if self.signer is not None:
            token = self.signer.sign(self._claims(principal, scope, body))
            found.append((b"x-authz-identity", token.encode("ascii")))
        if self.plain:
            found.append((b"x-user-id", quote(principal.subject, safe="@:|+ ").encode("ascii")))
        return found

    def _claims(self, principal: Principal, scope: Scope, body: bytes) -> dict[str, object]:
        now = int(self.clock())
        request = passed(scope)
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": principal.subject,
            "sub_iss": principal.issuer,
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_urlsafe(16),
            "server": self.server,
            "method": request.method,
            "tool": request.tool,
            "body_sha256": b64(hashlib.sha256(body).digest()),
            "request_id": request.request_id,
            "scope": " ".join(principal.scopes),
        }
        if principal.client_id:
            claims["client_id"] = principal.client_id
        if principal.actor:
            claims["act"] = {"sub": principal.actor}  # RFC 8693 section 4.1
        return claims
