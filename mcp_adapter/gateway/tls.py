"""The TLS settings of the listener, read again when their files change."""

import ssl
from pathlib import Path

from mcp_adapter.gateway.signature import Signature, signature


class Certificates:
    """Holds the settings for new connections; those that are open keep theirs."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        """Take the files; raises `ValueError` when they cannot be used."""
        self._files = tuple(file for file in (cert, key, client_ca) if file is not None)
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self._seen = self._signature()
        self.context = self._load()
        """For the web server. Each handshake changes to the newest settings."""
        self._newest = self.context
        self.context.sni_callback = self._choose

    def refresh(self) -> bool:
        """Take the files anew if they have changed, and say whether; raises `ValueError`, and the old ones stay."""
        seen = self._signature()
        if seen == self._seen:
            return False
        self._newest = self._load()
        self._seen = seen
        return True

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._newest

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A session that is resumed is not verified again, so a client whose authority was removed would come back in.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._cert, self._key)
            if self._client_ca is not None:
                context.load_verify_locations(self._client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"the TLS files {', '.join(map(str, self._files))} cannot be used: {error}") from None
        return context

    def _signature(self) -> Signature:
        return signature(self._files)
