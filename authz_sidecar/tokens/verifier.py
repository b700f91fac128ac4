"""The verifier of tokens: proves who is calling, or says why not."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from authz_sidecar.errors import ConfigError, TokenError
from authz_sidecar.model import Principal, RawToken, Reason, Server
from authz_sidecar.ports import Clock
from authz_sidecar.tokens import cache
from authz_sidecar.tokens.cache import Verified, VerifiedTokens
from authz_sidecar.tokens.case import Case
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.steps import STEPS

__all__ = ["MAX_BYTES", "Issuer", "JwtVerifier", "by_issuer", "is_opaque"]

MAX_BYTES = 16_384
"""The longest token that is looked at."""


_DOTS: Final = 2
_CHECKS: Final = tuple(step.check for step in STEPS)


class Opaque(Protocol):
    """Knows who is behind a token that says nothing itself."""

    async def verify(self, text: str, server: Server, now: float) -> Verified:
        """Ask, or raise `TokenError`; raises `IssuerUnavailable` when nobody could say."""
        ...

    def forget(self) -> None:
        """Forget every answer."""
        ...


class JwtVerifier:
    """Verifies JWTs of known issuers; a `TokenVerifier`."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        *,
        clock: Clock,
        max_bytes: int = MAX_BYTES,
        cache_size: int = 10_000,
        opaque: Opaque | None = None,
    ) -> None:
        """Take the issuers, or raise `ConfigError` when their tokens could be taken for one another's."""
        self._opaque = opaque
        self._issuers = by_issuer(issuers)
        self._clock = clock
        self._max_bytes = max_bytes
        self._cache = VerifiedTokens(cache_size)

    async def verify(self, token: RawToken, server: Server) -> Principal:
        """Prove who is calling this server, or raise `TokenError` with the reason.

        Nothing else leaves here, but `IssuerUnavailable` for an opaque token that nobody could be asked about.
        """
        now = self._clock()
        text = token.text
        # The bound comes before the digest, too. The empty text is never verified, so it is never found.
        name = cache.name(text if len(text) <= self._max_bytes else "", server)
        known = self._cache.find(name, now)
        if known is not None:
            return known
        if self._opaque is not None and is_opaque(text):
            verified = await self._opaque.verify(text, server, now)
        else:
            case = Case(text=text, server=server, issuers=self._issuers, now=now, max_bytes=self._max_bytes)
            try:
                verified = _examine(case)
            except TokenError as error:
                verified = await self._again(case, error)
        self._cache.keep(name, verified)
        return verified.principal

    def forget(self) -> None:
        """Forget every verified token: the next question about each verifies it anew."""
        self._cache.clear()
        if self._opaque is not None:
            self._opaque.forget()

    async def _again(self, case: Case, error: TokenError) -> Verified:
        """Verify once more when the issuer has keys that we did not know; else raise the error."""
        # A stranger can invent keys: `seek` has the bounds.
        if error.reason is not Reason.TOKEN_KEY_UNKNOWN or not await case.issuer.keys.seek():
            raise error
        again = Case(
            text=case.text, server=case.server, issuers=self._issuers, now=self._clock(), max_bytes=self._max_bytes
        )
        return _examine(again)


def _examine(case: Case) -> Verified:
    for check in _CHECKS:
        check(case)
    leeway, keys = case.issuer.leeway, case.issuer.keys
    ends = min(case.expires_at + leeway, case.now + keys.good_for)
    return Verified(case.not_before - leeway, ends, case.principal, keys, keys.epoch)


def is_opaque(text: str) -> bool:
    """Say whether a token is none that could be read here, so that its issuer has to be asked."""
    return text.count(".") != _DOTS


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
