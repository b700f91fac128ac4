"""Binding the sessions and event ids of the old protocol era to their principal, without a store."""

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
        return f"{session}.{self._mac(b'seal', session, principal)}"

    def open(self, sealed: str, principal: Principal | None, request_id: str | int | None) -> str:
        """Give the id within, or raise `Refusal` (404) for an unknown one and for anybody else's alike."""
        session = self._opened(b"seal", sealed, principal)
        if not session:
            raise Refusal(404, SESSION_NOT_FOUND, "session not found", request_id=request_id)
        return session

    def seal_event(self, event: bytes, principal: Principal | None) -> bytes:
        """Give what the client gets to see of an event's id.

        The threat: servers look up the event of `Last-Event-ID` in one store for all sessions, and replay what follows
        it to whoever asks.
        """
        text = event.decode("latin-1")
        return f"{text}.{self._mac(b'event', text, principal)}".encode("latin-1")

    def open_event(self, sealed: bytes, principal: Principal | None) -> bytes:
        """Give the id within, or raise `Refusal` (404) for an unknown one and for anybody else's alike."""
        event = self._opened(b"event", sealed.decode("latin-1"), principal)
        if not event:
            raise Refusal(404, SESSION_NOT_FOUND, "event not found")
        return event.encode("latin-1")

    def digest(self, session: str) -> str:
        """Name a session in a log without giving it away."""
        return hmac.digest(self._key, b"log\0" + session.encode(), hashlib.sha256).hex()[:_SEAL]

    def _opened(self, what: bytes, sealed: str, principal: Principal | None) -> str:
        text, _, seal = sealed.rpartition(".")
        good = text and len(sealed) <= _LONGEST and _VISIBLE.fullmatch(sealed)
        return text if good and hmac.compare_digest(seal, self._mac(what, text, principal)) else ""

    def _mac(self, what: bytes, text: str, who: Principal | None) -> str:
        parts = [text, self._server]
        parts += ["", "", ""] if who is None else [who.issuer, who.subject, who.client_id]
        # Lengths go first, so that no two lists of parts give the same bytes.
        said = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
        return hmac.digest(self._key, what + b"\0" + said, hashlib.sha256).hex()[:_SEAL]
