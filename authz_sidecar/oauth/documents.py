"""Client ID metadata documents: a client whose id is the URL of a document about it.

Sources: draft-ietf-oauth-client-id-metadata-document; the MCP specification on its security.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog

from authz_sidecar import strictjson
from authz_sidecar.oauth import clientjwks
from authz_sidecar.oauth.client import Client, Origin, Proof
from authz_sidecar.oauth.errors import OAuthError
from authz_sidecar.oauth.limit import Limit
from authz_sidecar.oauth.register import grant_types, redirect_uris
from authz_sidecar.ports import Clock

_LARGEST: Final = 65_536
_SHORTEST, _LONGEST = 60.0, 86_400.0
_WRONG_FOR: Final = 30.0
"""Seconds: so long is a document that was wrong not fetched again."""
_STALE_FOR: Final = 3_600.0
_MOST: Final = 1_000
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])")
_UNKEPT: Final = re.compile(r"(?:^|[,\s])(?:no-store|no-cache)(?:$|[,\s])")


class DocumentUnavailable(Exception):
    """It could not be fetched, or may not be; the message is for our log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A document as it came; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


class Fetch(Protocol):
    """Fetches what a stranger's URL names: from public addresses alone, without redirects, bounded in size and time."""

    async def __call__(self, url: str) -> Fetched:
        """Fetch it, or raise `DocumentUnavailable`."""
        ...


class DocumentClients:
    """Finds clients by their documents, and keeps those for as long as their servers say, within a minute and a day."""

    def __init__(
        self, *, fetch: Fetch, clock: Clock, hosts: frozenset[str] = frozenset(), per_minute: int = 120
    ) -> None:
        """Take what fetches; with `hosts`, documents of other hosts are not looked at.

        Anybody may name a URL, so no more than `per_minute` are fetched: we are nobody's tool to call others.
        """
        self._limit = Limit(per_minute, seconds=60.0, clock=clock)
        self._fetch = fetch
        self._clock = clock
        self._hosts = hosts
        self._kept: OrderedDict[str, tuple[float, Client | None]] = OrderedDict()
        self._busy: dict[str, asyncio.Task[Client | None]] = {}
        self._log = structlog.stdlib.get_logger("authz_sidecar.oauth")

    async def find(self, client_id: str) -> Client | None:
        """Give the client whose id is this URL; None when there is no such document, or it cannot be trusted."""
        if (why := _objection(client_id, self._hosts)) is not None:
            self._log.info("client_document_refused", detail=why)
            return None
        until, client = self._kept.get(client_id, (0.0, None))
        if until > self._clock():
            return client
        # One fetch for all who wait: nobody can make us call others more often than they call us.
        task = self._busy.get(client_id)
        if task is None:
            if not self._limit.take(""):
                self._log.warning("client_document_refused", detail="too many documents were asked for this minute")
                return self._last(client_id)
            task = self._busy[client_id] = asyncio.create_task(self._load(client_id))
            task.add_done_callback(lambda _: self._busy.pop(client_id, None))
        return await asyncio.shield(task)

    def _last(self, client_id: str) -> Client | None:
        """Give what a document said an hour ago at most: neither a flood nor its server's bad minute ends a client."""
        until, client = self._kept.get(client_id, (0.0, None))
        return client if self._clock() < until + _STALE_FOR else None

    async def _load(self, client_id: str) -> Client | None:
        client: Client | None = None
        seconds = _WRONG_FOR
        try:
            fetched = await self._fetch(client_id)
            client, seconds = read(client_id, fetched.body, hosts=self._hosts), kept_for(fetched.headers)
        except DocumentUnavailable as error:
            self._log.warning("client_document_refused", detail=str(error))
            if (last := self._last(client_id)) is not None:
                return last  # it is asked for again next time; what it says anew counts at once
        except ValueError as error:
            self._log.warning("client_document_refused", detail=str(error))
        self._kept[client_id] = (self._clock() + seconds, client)
        self._kept.move_to_end(client_id)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return client


def read(client_id: str, body: bytes, *, hosts: frozenset[str] = frozenset()) -> Client:
    """Make a client of its document, or raise `ValueError`; with `hosts`, its keys are at one of them, too."""
    if len(body) > _LARGEST:
        raise ValueError("the document is too large")
    said = strictjson.loads(body, max_depth=8)
    if not isinstance(said, dict):
        raise ValueError("the document is not a JSON object")
    # Compared as text (RFC 3986 section 6.2.1): else a document could speak for another.
    if said.get("client_id") != client_id:
        raise ValueError("the document's `client_id` is not its own URL")
    if said.get("client_secret") is not None:
        raise ValueError("the document holds a secret, which everybody can read")
    name, uri = said.get("client_name", ""), said.get("client_uri", "")
    if not isinstance(name, str) or len(name) > 100 or not name.isprintable():
        raise ValueError("the document's `client_name` is no short text")
    proof = _proof(said)
    keys, keys_at = _keys(said, hosts) if proof is Proof.PRIVATE_KEY else ((), "")
    try:
        return Client(
            id=client_id,
            origin=Origin.DOCUMENT,
            name=name.strip(),
            uri=uri if isinstance(uri, str) and uri.isprintable() and uri.startswith("https://") else "",
            proof=proof,
            redirect_uris=redirect_uris(said),
            grant_types=grant_types(said),
            jwks=keys,
            jwks_uri=keys_at,
        )
    except OAuthError as error:
        raise ValueError(f"the document is refused: {error}") from None


def kept_for(headers: Mapping[str, str]) -> float:
    """Say for how long a document may be kept (RFC 9111 section 5.2.2)."""
    control = headers.get("cache-control", "").lower()
    found = _MAX_AGE.search(control)
    if found is None or _UNKEPT.search(control):
        return _SHORTEST
    return min(max(float(found[1]), _SHORTEST), _LONGEST)


def _proof(said: Mapping[str, object]) -> Proof:
    match said.get("token_endpoint_auth_method", "none"):
        case "none":
            return Proof.NONE
        case "private_key_jwt":
            return Proof.PRIVATE_KEY
        case _:
            raise ValueError("the document's `token_endpoint_auth_method` must be `none` or `private_key_jwt`")


def _keys(said: Mapping[str, object], hosts: frozenset[str]) -> tuple[clientjwks.Jwks, str]:
    """Give the keys, or where they are: one of the two (RFC 7591 section 2)."""
    written, at = said.get("jwks"), said.get("jwks_uri")
    if (written is None) == (at is None):
        raise ValueError("the document needs either `jwks` or `jwks_uri` for `private_key_jwt`")
    if at is None:
        try:
            return clientjwks.read(written), ""
        except clientjwks.JwksRefused as error:
            raise ValueError(f"the document's `jwks` {error}") from None
    if not isinstance(at, str) or not at.startswith("https://"):
        raise ValueError("the document's `jwks_uri` is no https URL")
    if (why := _objection(at, hosts)) is not None:
        raise ValueError(f"the document's `jwks_uri` is refused: {why}")
    return (), at


def _objection(client_id: str, hosts: frozenset[str]) -> str | None:
    """Say why a URL is no client id (section 3 of the draft), and no place of its keys."""
    try:
        parts = urlsplit(client_id)
        _ = parts.port
    except ValueError:
        return "it is no URL"
    if len(client_id) > 2_048 or not client_id.isascii() or not client_id.isprintable() or " " in client_id:
        return "it is too long, or has characters that do not belong into a URL"
    if "@" in parts.netloc or "#" in client_id or "\\" in client_id or parts.path in ("", "/"):
        return "it has a user, a fragment or a backslash, or no path"
    if {".", "..", "%2e", "%2e%2e"} & set(parts.path.lower().split("/")):
        return "it has dot segments"
    if hosts and parts.netloc.lower() not in hosts:
        return "its host is not one that the operator listed"
    return None
