"""Binding the sessions of the old protocol era to their principal, without a store."""

import hashlib
import hmac
import re
import secrets
from typing import Final

from mcp_adapter.principal import Principal
from mcp_adapter.refusal import SESSION_NOT_FOUND, Refusal

_SEAL: Final = 32
_LONGEST: Final = 1024
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")  # MCP 2025-11-25, "Session Management"


class Sessions:
    """Seals session ids: the client sees `<id>.<seal>`, and the seal is good for one principal and server only.

    Without a key of its own each instance takes a random one: sessions then end with the process, as they do in the
    servers behind it. Instances that share sessions share a key of at least 32 bytes.
    """

    def __init__(self, server: str, key: bytes | None = None) -> None:
        """Take the server's name and the key."""
        if key is not None and len(key) < 32:
            raise ValueError("the session key is shorter than 32 bytes")
        self._server = server
        self._key = key or secrets.token_bytes(32)

    def seal(self, session: str, principal: Principal | None) -> str:
        """Give what the client gets to see of an id."""
        return f"{session}.{self._mac(session, principal)}"

    def open(self, sealed: str, principal: Principal | None, request_id: str | int | None) -> str:
        """Give the id within, or raise `Refusal` (404) for an unknown one and for anybody else's alike."""
        session, _, seal = sealed.rpartition(".")
        good = session and len(sealed) <= _LONGEST and _VISIBLE.fullmatch(sealed)
        if not good or not hmac.compare_digest(seal, self._mac(session, principal)):
            raise Refusal(404, SESSION_NOT_FOUND, "session not found", request_id=request_id)
        return session

    def digest(self, session: str) -> str:
        """Name a session in a log without giving it away."""
        return hmac.digest(self._key, b"log\0" + session.encode(), hashlib.sha256).hex()[:_SEAL]

    def _mac(self, session: str, who: Principal | None) -> str:
        parts = [session, self._server]
        parts += ["", "", ""] if who is None else [who.issuer, who.subject, who.client_id]
        # Lengths go first, so that no two lists of parts give the same bytes.
        said = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
        return hmac.digest(self._key, b"seal\0" + said, hashlib.sha256).hex()[:_SEAL]
