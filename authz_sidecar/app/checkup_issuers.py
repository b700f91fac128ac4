"""A look at one issuer: can it be reached, are its keys and certificate any good, and do the clocks agree."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from authz_sidecar.app import checkup_authorities
from authz_sidecar.app.finding import Finding, fail, ok, warn
from authz_sidecar.app.issuers import source_of, web_of
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.issuerknobs import Issuer
from authz_sidecar.ports import Clock
from authz_sidecar.tokens import presets
from authz_sidecar.tokens.fetch import Web
from authz_sidecar.tokens.keys import load_keys, load_secret
from authz_sidecar.tokens.keyset import Key, KeySet
from authz_sidecar.tokens.pages import FetchFailed, Page
from authz_sidecar.tokens.urls import Url

_DAY: Final = 86_400
_OLD_DAYS: Final = 365
_SOON_DAYS: Final = 14
_DRIFT: Final = 5.0
"""Seconds that clocks may differ without a word; `Date` has whole seconds and the answer took a while."""


class Recorder:
    """Fetches by a `Web` and remembers the other side's clock and certificate; a `Get`."""

    def __init__(self, web: Web, clock: Clock) -> None:
        """Take the `Web` to fetch by, and our clock."""
        self._web, self._clock = web, clock
        self.drift: float | None = None
        """Seconds that our clock is ahead; None when nobody said the time."""
        self.certificate_ends: float | None = None
        """The first end of a certificate that was seen; None without TLS."""

    async def get(self, url: Url, *, foreign: bool = False, etag: str = "") -> Page:
        """Fetch, or raise `FetchFailed`."""
        page = await self._web.get(url, foreign=foreign, etag=etag)
        theirs = _moment(page)
        if theirs is not None:
            self.drift = self._clock() - theirs
        ends = [end for end in (self.certificate_ends, page.certificate_ends) if end is not None]
        self.certificate_ends = min(ends, default=None)
        return page


def _moment(page: Page) -> float | None:
    """Read `Date`, plus the `Age` of an answer from a cache (RFC 9110 section 6.6.1, RFC 9111 section 5.1)."""
    try:
        said = parsedate_to_datetime(page.headers["date"]).timestamp()
        age = page.headers.get("age", "0").strip()
        return said + (float(age) if age.isascii() and age.isdecimal() and len(age) < 9 else 0.0)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


async def look(config: Config, one: Issuer, clock: Clock) -> list[Finding]:
    """Look at an issuer as `serve` would see it."""
    about = f"issuer {one.alias}"
    remarks = [warn(about, said, "see docs/tokens.md") for said in presets.remarks(one.model_dump())]
    if one.jwks_file or one.pem_file:
        return _file(about, config.at(one.jwks_file or one.pem_file), load_keys, clock()) + remarks
    if one.secret_file:
        return _file(about, config.at(one.secret_file), load_secret, clock()) + remarks
    if not one.has_keys:
        asked = ok(about, f"its tokens are asked about at {one.introspection_uri}")
        return [asked, *_authority(config, one, about, clock()), *remarks]
    return await _web(config, one, about, clock) + remarks


def _file(about: str, path: Path, load: Callable[[Path], KeySet], now: float) -> list[Finding]:
    try:
        keys = load(path)
        age = (now - path.stat().st_mtime) / _DAY
        readable = path.stat().st_mode & 0o077
    except (ConfigError, OSError) as error:
        return [fail(about, str(error), "export the keys of the issuer again")]
    found = [ok(about, f"{_count(keys)} in {path}, changed {age:.0f} days ago")]
    if age > _OLD_DAYS:
        found.append(warn(about, f"{path} is {age:.0f} days old", "ask whether the issuer has changed its keys since"))
    if load is load_secret and readable:
        found.append(fail(about, f"{path} can be read by others", f"run `chmod 600 {path}` and make a new secret"))
    return found + _keys(about, keys)


async def _web(config: Config, one: Issuer, about: str, clock: Clock) -> list[Finding]:
    try:
        web = web_of(config, one)
    except ConfigError as error:
        return [fail(about, str(error), "mend `ca_file` or `proxy`")]
    recorder = Recorder(web, clock)
    began = time.monotonic()
    try:
        loaded = await source_of(one, recorder).load()
    except FetchFailed as error:
        advice = "no token of it is accepted until that works; look at network, `proxy`, `ca_file` and the URL"
        failed = fail(about, str(error), advice)
        return [failed, *_authority(config, one, about, clock()), *_clocks(about, recorder.drift, one)]
    finally:
        await web.close()
    took = (time.monotonic() - began) * 1_000
    sentence = f"{_count(loaded.keys)}, fetched in {took:.0f} ms, fresh for {loaded.lifetime:.0f} s"
    return [
        ok(about, sentence),
        *_certificate(about, recorder.certificate_ends, clock()),
        *_authority(config, one, about, clock()),
        *_keys(about, loaded.keys),
        *_clocks(about, recorder.drift, one),
    ]


def _certificate(about: str, ends: float | None, now: float) -> list[Finding]:
    """Look at the end of a certificate that is still good, or the fetch would have failed."""
    if ends is None:
        return []
    days = f"its certificate ends in {(ends - now) / _DAY:.0f} days"
    if ends - now < _SOON_DAYS * _DAY:
        return [warn(about, days, "ask who runs the issuer; then its keys cannot be fetched any more")]
    return [ok(about, days)]


def _authority(config: Config, one: Issuer, about: str, now: float) -> list[Finding]:
    return checkup_authorities.look(about, config.at(one.ca_file), now) if one.ca_file else []


def _clocks(about: str, drift: float | None, one: Issuer) -> list[Finding]:
    if drift is None:
        return []
    apart = f"our clock is {abs(drift):.0f} s {'ahead of' if drift > 0 else 'behind'} the issuer's"
    if abs(drift) > max(float(one.leeway_seconds), _DRIFT):
        return [fail(about, apart, "set the clock; good tokens are refused and ended ones may be accepted")]
    if abs(drift) > _DRIFT:
        return [warn(about, apart, f"set the clock; beyond {one.leeway_seconds} s good tokens are refused")]
    return [ok(about, "our clock agrees with the issuer's")]


def _keys(about: str, keys: KeySet) -> list[Finding]:
    found = [
        warn(about, f"a key is left aside: {said}", "nothing, if it is for another purpose") for said in keys.ignored
    ]
    if any(key.development for key in keys.keys):
        found.append(warn(about, "its key is for development", "anybody who can read the signing key can be anybody"))
    if len(keys.keys) > 1 and any(key.kid is None for key in keys.keys):
        found.append(warn(about, "a key has no `kid`", "tokens cannot name it; let the issuer publish `kid`"))
    return found


def _count(keys: KeySet) -> str:
    kinds = sorted({_kind(key) for key in keys.keys})
    return f"{len(keys.keys)} key{'s' if len(keys.keys) != 1 else ''} ({', '.join(kinds)})"


def _kind(key: Key) -> str:
    if isinstance(key.material, bytes):
        return f"secret of {len(key.material) * 8} bits"
    if isinstance(key.material, RSAPublicKey):
        return f"RSA {key.material.key_size} bits"
    return " ".join(sorted(key.algorithms))
