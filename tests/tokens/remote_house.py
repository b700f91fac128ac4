"""Keys on the web with everything that they need: an issuer that a test turns on and off, and a time that it moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens.jwks import Loaded
from authz_sidecar.tokens.news import KeyNews
from authz_sidecar.tokens.remote import RemoteKeys
from authz_sidecar.tokens.ring import Ring
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import NOW, SERVER, claim_bytes, header_bytes, issuer, key, keyset, sign
from tests.tokens.provider import Nap, Time

OLD, NEW = key("ES256", "old"), key("ES256", "new")
DAY = 86_400.0


class Idp:
    """A `Source` that a test turns on, off and around."""

    def __init__(self) -> None:
        self.keys = keyset(OLD)
        self.lifetime = 600.0
        self.failure: Exception | None = None
        self.unchanged = False
        self.loads = 0
        self.gate: asyncio.Event | None = None

    async def load(self) -> Loaded:
        self.loads += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Loaded(keys=self.keys, unchanged=self.unchanged, lifetime=self.lifetime)


class House:
    """Remote keys with everything that they need, and a verifier that uses them."""

    def __init__(self, *, max_age: float = DAY, jitter: float = 1.0, patience: float = 5.0) -> None:
        self.time = Time(NOW)
        self.idp = Idp()
        self.news: list[KeyNews] = []
        self.keys = RemoteKeys(
            alias="main",
            source=self.idp,
            ring=Ring(clock=self.time.clock, monotonic=self.time.monotonic, max_age=max_age),
            max_age=max_age,
            tell=self.news.append,
            monotonic=self.time.monotonic,
            sleep=self.time.sleep,
            patience=patience,
            jitter=lambda: jitter,
        )
        self.verifier = JwtVerifier([issuer(keys=self.keys)], clock=self.time.clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Nap]:
        async with self.time.spent_on(self.keys.run()) as nap:
            yield nap

    async def verify(self, text: str) -> str:
        async with asyncio.timeout(10):
            return (await self.verifier.verify(RawToken(text), SERVER)).subject

    async def reason(self, text: str) -> Reason:
        with pytest.raises(TokenError) as caught:
            await self.verify(text)
        return caught.value.reason


def by(signer: dict[str, object], **changes: object) -> str:
    return sign(header_bytes(kid=signer["kid"]), claim_bytes(**{"exp": NOW + 10 * DAY} | changes), signer)
