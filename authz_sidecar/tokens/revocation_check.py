"""A verifier that accepts what another one accepts, unless it was revoked."""

from authz_sidecar.model import Principal, RawToken, Server
from authz_sidecar.ports import RevocationCheck, TokenVerifier


class Unrevoked:
    """A `TokenVerifier` round a `TokenVerifier`.

    It stands outside of every memory of verified tokens and asks after they have answered, so that no answer of theirs
    is older than the revocations that it is held against.
    """

    def __init__(self, verifier: TokenVerifier, revocations: RevocationCheck) -> None:
        """Take what verifies and what knows the revoked."""
        self._verifier = verifier
        self._revocations = revocations

    async def verify(self, token: RawToken, server: Server) -> Principal:
        """Prove who is calling; raises `TokenError`, or `NotReady` when nobody can say what is revoked."""
        principal = await self._verifier.verify(token, server)
        self._revocations.check(principal)
        return principal
