"""Sources of keys on the web: a JWKS at a URL, or at the URL that an issuer's metadata names."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import discovery
from authz_sidecar.tokens.freshness import lifetime
from authz_sidecar.tokens.keys import parse_published
from authz_sidecar.tokens.keyset import KeySet
from authz_sidecar.tokens.pages import FetchFailed, Get, Outcome, Page
from authz_sidecar.tokens.ring import Monotonic
from authz_sidecar.tokens.urls import Url


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a source gave."""

    keys: KeySet
    lifetime: float
    """Seconds for which asking again would be in vain."""
    unchanged: bool = False
    """The issuer said so itself."""


class Source(Protocol):
    """Where keys come from."""

    async def load(self) -> Loaded:
        """Ask once, or raise `FetchFailed`."""
        ...


class JwksPage:
    """The JWKS at one URL; a `Source`."""

    def __init__(self, web: Get, url: Url, *, foreign: bool = False) -> None:
        """Take the URL; `foreign` when a document named it and not the operator."""
        self._web, self.url, self._foreign = web, url, foreign
        self._etag = ""
        self._last: KeySet | None = None

    async def load(self) -> Loaded:
        """Fetch the set, or learn that it is the same."""
        page = await self._web.get(self.url, foreign=self._foreign, etag=self._etag)
        if page.status != 304:
            self._last = await self._parsed(page)
            self._etag = page.headers.get("etag", "")  # after parsing: what was refused is asked for again
        if self._last is None:
            raise FetchFailed(Outcome.BAD_STATUS, f"{self.url} says that nothing changed, and nobody asked")
        return Loaded(keys=self._last, lifetime=lifetime(page.headers), unchanged=page.status == 304)

    async def _parsed(self, page: Page) -> KeySet:
        try:
            return await asyncio.to_thread(parse_published, page.body)  # a thousand keys are some milliseconds
        except ConfigError as error:
            raise FetchFailed(Outcome.BAD_CONTENT, f"{self.url} {error}") from None


class Discovered:
    """The JWKS that an issuer's metadata names; a `Source`. The metadata is read again when its own time is over."""

    def __init__(self, web: Get, *, issuer: str, places: tuple[Url, ...], monotonic: Monotonic) -> None:
        """Take the places where the metadata may be; they are the operator's."""
        self._web, self._issuer, self._places, self._monotonic = web, issuer, places, monotonic
        self._page: JwksPage | None = None
        self._until = 0.0

    async def load(self) -> Loaded:
        """Find the set, then fetch it; a set that is known is fetched even when the metadata cannot be."""
        failure: FetchFailed | None = None
        if self._page is None or self._monotonic() >= self._until:
            try:
                await self._discover()
            except FetchFailed as error:
                failure = error
        if self._page is None or (failure is not None and failure.outcome is Outcome.WRONG_ISSUER):
            raise failure or FetchFailed(Outcome.FAILED, "there is no metadata")
        return await self._fetch(self._page)

    async def _fetch(self, page: JwksPage) -> Loaded:
        try:
            return await page.load()
        except FetchFailed:
            self._until = 0.0  # the set may have moved: next time the metadata is asked first
            raise

    async def _discover(self) -> None:
        problems: list[FetchFailed] = []
        for place in self._places:
            try:
                page = await self._web.get(place)
                found = self._read(place, page)
            except FetchFailed as error:
                problems.append(error)
                if error.outcome in (Outcome.UNREACHABLE, Outcome.TIMEOUT):
                    break
                continue
            self._until = self._monotonic() + lifetime(page.headers)
            self._places = (place, *(other for other in self._places if other != place))
            if self._page is None or self._page.url != found:
                self._page = JwksPage(self._web, found, foreign=found.origin != place.origin)
            return
        # The first place is the usual one, unless another had a document and it was wrong.
        worst = next((one for one in problems if one.outcome is Outcome.WRONG_ISSUER), problems[0])
        raise FetchFailed(worst.outcome, str(worst))

    def _read(self, place: Url, page: Page) -> Url:
        try:
            return discovery.jwks_uri(page.body, self._issuer)
        except FetchFailed as error:
            raise FetchFailed(error.outcome, f"{place} {error}") from None
