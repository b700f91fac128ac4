"""Opaque tokens: asks their issuer who is behind them (RFC 7662), and remembers the answer for a moment."""

import asyncio
import base64
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote_plus

from authz_sidecar import strictjson
from authz_sidecar.errors import IssuerUnavailable, TokenError
from authz_sidecar.model import Reason, Server
from authz_sidecar.ports import Clock
from authz_sidecar.tokens.cache import Verified
from authz_sidecar.tokens.claims import Claims, malformed
from authz_sidecar.tokens.introspected import examine
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.pages import FetchFailed, Outcome, Page
from authz_sidecar.tokens.ring import Monotonic
from authz_sidecar.tokens.urls import Url

ACTIVE_SECONDS: Final = 60.0
"""For so long, and never beyond `exp`, an active token is not asked about again."""
INACTIVE_SECONDS: Final = 10.0
MOST_ANSWERS: Final = 10_000
MOST_QUESTIONS: Final = 256
"""Under way at once."""
LONGEST: Final = 16_384

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1
_DEEPEST: Final = 16


class Post(Protocol):
    """Sends a form."""

    async def post(self, url: Url, form: Mapping[str, str], *, authorization: str) -> Page:
        """Send it, or raise `FetchFailed`."""
        ...


Tell = Callable[[str, str, str], None]
"""Hears the issuer's alias, what became of a question (`active`, `inactive` or an `Outcome`), and what went wrong."""


def basic(client_id: str, secret: str) -> str:
    """Spell client credentials for the `Authorization` header (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(client_id, safe='')}:{quote_plus(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """What an issuer says about an active token."""

    claims: Claims = field(repr=False)
    asked: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    claims: Claims | None = field(repr=False)
    """None: not active."""
    asked: float
    """Seconds since the epoch."""
    until: float
    """By the monotonic clock."""


class _Answers:
    """A bounded memory, the least recently used goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, _Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: bytes, now: float) -> _Answer | None:
        found = self._entries.get(name)
        if found is not None and now >= found.until:
            del self._entries[name]
            return None
        return found

    def keep(self, name: bytes, answer: _Answer) -> None:
        self._entries[name] = answer
        self._entries.move_to_end(name)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()


class Introspection:
    """Asks one issuer about opaque tokens; an `Opaque`. It belongs to one event loop."""

    def __init__(
        self,
        *,
        issuer: Issuer,
        web: Post,
        url: Url,
        authorization: str,
        trusted: bool,
        clock: Clock,
        monotonic: Monotonic,
        tell: Tell,
        size: int = MOST_ANSWERS,
    ) -> None:
        """Take whom to ask; `trusted` accepts answers without `aud`."""
        self.issuer: Final = issuer
        self.trusted: Final = trusted
        self._web, self._url, self._authorization = web, url, authorization
        self._clock, self._monotonic, self._tell = clock, monotonic, tell
        # Two memories: a flood of invented tokens must not push the genuine ones out.
        self._active, self._inactive = _Answers(size), _Answers(size)
        self._asking: dict[bytes, asyncio.Task[_Answer]] = {}

    async def verify(self, text: str, server: Server, now: float) -> Verified:
        """Ask, or raise `TokenError`; raises `IssuerUnavailable` when nobody could say."""
        answer = await self.ask(text)
        case = examine(answer.claims, self.issuer, server, now=max(now, answer.asked), trusted=self.trusted)
        ends = min(case.expires_at, answer.asked + ACTIVE_SECONDS)
        return Verified(answer.asked, ends, case.principal)

    async def ask(self, text: str) -> Active:
        """Give what the issuer says about an active token, which nobody has checked yet; raises as `verify` does."""
        if not text:
            raise TokenError(Reason.TOKEN_MISSING, "there is no token")
        if len(text) > LONGEST or not _TOKEN.fullmatch(text):
            raise malformed(f"neither a JWT nor an opaque token of at most {LONGEST} characters")
        answer = await self._answer(hashlib.sha256(text.encode()).digest(), text)
        if answer.claims is None:
            raise TokenError(Reason.TOKEN_INACTIVE, f"the issuer `{self.issuer.alias}` says that it is not active")
        return Active(claims=answer.claims, asked=answer.asked)

    def forget(self) -> None:
        """Forget every answer."""
        self._active.clear()
        self._inactive.clear()

    async def _answer(self, name: bytes, text: str) -> _Answer:
        now = self._monotonic()
        known = self._active.find(name, now) or self._inactive.find(name, now)
        if known is not None:
            return known
        asking = self._asking.get(name)
        if asking is None:
            if len(self._asking) >= MOST_QUESTIONS:
                raise IssuerUnavailable(f"{MOST_QUESTIONS} questions to `{self.issuer.alias}` are under way")
            asking = self._asking[name] = asyncio.create_task(self._ask(name, text))
            asking.add_done_callback(lambda task: self._asked(name, task))
        await asyncio.wait({asking})  # whoever goes away takes nobody else's answer along
        return asking.result()

    def _asked(self, name: bytes, task: "asyncio.Task[_Answer]") -> None:
        del self._asking[name]
        if not task.cancelled():
            task.exception()  # looked at, also when every asker went away

    async def _ask(self, name: bytes, text: str) -> _Answer:
        asked, now = self._clock(), self._monotonic()
        form = {"token": text, "token_type_hint": "access_token"}
        try:
            page = await self._web.post(self._url, form, authorization=self._authorization)
            claims = _read(page.body)
        except FetchFailed as error:
            self._tell(self.issuer.alias, error.outcome.value, str(error))
            raise IssuerUnavailable(f"`{self.issuer.alias}` cannot be asked about a token: {error}") from None
        if claims is None:
            answer = _Answer(claims=None, asked=asked, until=now + INACTIVE_SECONDS)
            self._inactive.keep(name, answer)
        else:
            answer = _Answer(claims=claims, asked=asked, until=now + _lifetime(claims, asked))
            self._active.keep(name, answer)
        self._tell(self.issuer.alias, "inactive" if claims is None else "active", "")
        return answer


def _read(body: bytes) -> Claims | None:
    """Read an answer: the claims of an active token, or None."""
    try:
        found = strictjson.loads(body, max_depth=_DEEPEST)
    except strictjson.StrictJsonError as error:
        raise FetchFailed(Outcome.BAD_CONTENT, f"the answer {error}") from None
    active = found.get("active") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(active, bool):
        raise FetchFailed(Outcome.BAD_CONTENT, "the answer has no `active` that is true or false")
    return found if active else None


def _lifetime(claims: Claims, now: float) -> float:
    ends = claims.get("exp")
    if isinstance(ends, bool) or not isinstance(ends, int | float):
        return INACTIVE_SECONDS
    return min(max(ends - now, 0.0), ACTIVE_SECONDS)
