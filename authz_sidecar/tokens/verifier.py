"""The verifier of signed tokens: proves who is calling, or says why not."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from authz_sidecar.errors import ConfigError
from authz_sidecar.model import Principal, RawToken, Server
from authz_sidecar.ports import Clock
from authz_sidecar.tokens import cache
from authz_sidecar.tokens.cache import Verified, VerifiedTokens
from authz_sidecar.tokens.case import Case
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.steps import STEPS

__all__ = ["MAX_BYTES", "Issuer", "JwtVerifier", "by_issuer"]

MAX_BYTES = 16_384
"""The longest token that is looked at."""


class JwtVerifier:
    """Verifies JWTs of known issuers; a `TokenVerifier`."""

    def __init__(
        self, issuers: Sequence[Issuer], *, clock: Clock, max_bytes: int = MAX_BYTES, cache_size: int = 10_000
    ) -> None:
        """Take the issuers, or raise `ConfigError` when their tokens could be taken for one another's."""
        self._issuers = by_issuer(issuers)
        self._clock = clock
        self._max_bytes = max_bytes
        self._cache = VerifiedTokens(cache_size)

    async def verify(self, token: RawToken, server: Server) -> Principal:
        """Prove who is calling this server, or raise `TokenError` with the reason; nothing else leaves here."""
        now = self._clock()
        text = token.text
        # The bound comes before the digest, too. The empty text is never verified, so it is never found.
        name = cache.name(text if len(text) <= self._max_bytes else "", server)
        known = self._cache.find(name, now)
        if known is not None:
            return known
        case = Case(text=text, server=server, issuers=self._issuers, now=now, max_bytes=self._max_bytes)
        for step in STEPS:
            step.check(case)
        self._cache.keep(name, _verified(case))
        return case.principal

    def forget(self) -> None:
        """Forget every verified token: the next question about each verifies it anew."""
        self._cache.clear()


def _verified(case: Case) -> Verified:
    leeway = case.issuer.leeway
    return Verified(case.not_before - leeway, case.expires_at + leeway, case.principal)


def by_issuer(issuers: Sequence[Issuer]) -> Mapping[str, Issuer]:
    """Index issuers by their exact `iss`, or raise `ConfigError` when two could be confused."""
    found = {one.issuer: one for one in issuers}
    if len(found) != len(issuers):
        raise ConfigError("two issuers have the same `issuer`; configure it once")
    if len({one.alias for one in issuers}) != len(issuers):
        raise ConfigError("two issuers have the same alias; give each its own")
    # With two issuers, `user:alice` could be either's Alice.
    plain = [one.alias for one in issuers if not one.qualify]
    if len(issuers) > 1 and plain:
        raise ConfigError(f"beside another issuer, the names of the issuer `{plain[0]}` must be qualified by its alias")
    return MappingProxyType(found)
