"""Builds every configured issuer with what looks after its keys."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError, Problem
from authz_sidecar.issuerknobs import Issuer as IssuerConfig
from authz_sidecar.tokens import discovery, urls
from authz_sidecar.tokens.fetch import Web
from authz_sidecar.tokens.filekeys import FileKeys
from authz_sidecar.tokens.guard import Guard
from authz_sidecar.tokens.introspection import Introspection, basic
from authz_sidecar.tokens.introspection import Tell as Asked
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.jwks import Discovered, JwksPage, Source
from authz_sidecar.tokens.keys import load_client_secret, load_keys, load_secret
from authz_sidecar.tokens.keyset import Keys, KeySet
from authz_sidecar.tokens.news import Tell, nobody
from authz_sidecar.tokens.pages import Get
from authz_sidecar.tokens.remote import RemoteKeys
from authz_sidecar.tokens.ring import Ring

Changing = RemoteKeys | FileKeys
"""Keys that somebody has to look after."""


def _unheard(_: str, __: str, ___: str) -> None:
    """Tell nobody what became of a question about a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Every issuer, its changing keys by alias, and the connections that they use."""

    issuers: tuple[Issuer, ...]
    changing: Mapping[str, Changing]
    webs: tuple[Web, ...]
    opaque: Introspection | None = None
    """Who is asked about tokens that are no JWT."""

    async def fill(self) -> None:
        """Fetch once what is on the web, for a look; waits some seconds at most, and closes every connection."""
        async with AsyncExitStack() as stack:
            for web in self.webs:
                stack.push_async_callback(web.close)
            await asyncio.gather(*(keys.seek() for keys in self.changing.values()))

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(web.close() for web in self.webs))

    def ages(self) -> dict[str, float]:
        """Give the seconds since each issuer on the web confirmed its keys; one that never did is not in it."""
        remote = {alias: keys.age for alias, keys in self.changing.items() if isinstance(keys, RemoteKeys)}
        return {alias: age for alias, age in remote.items() if age is not None}

    def problems(self) -> tuple[Problem, ...]:
        """Say which keys could not be read the last time."""
        return tuple(
            Problem(file=f"issuer `{alias}`", line=0, column=0, code="keys", message=keys.trouble)
            for alias, keys in self.changing.items()
            if keys.trouble
        )


def known(config: Config, *, tell: Tell = nobody, asked: Asked = _unheard) -> Known:
    """Build every issuer: keys in files are read, those on the web are not fetched yet. Raises `ConfigError`."""
    several = len(config.issuers) > 1
    changing: dict[str, Changing] = {}
    webs: list[Web] = []
    issuers = []
    opaque: list[Introspection] = []
    for one in config.issuers:
        web = web_of(config, one) if one.on_the_web else None
        keys = _keys(config, one, web, tell)
        if isinstance(keys, RemoteKeys | FileKeys):
            changing[one.alias] = keys
        if web is not None:
            webs.append(web)
        issuers.append(_issuer(one, keys, qualify=several))
        if web is not None and one.introspection_uri:
            opaque.append(_introspection(config, one, issuers[-1], web, asked))
    if len(opaque) > 1:
        raise ConfigError("two issuers have `introspection_uri`; an opaque token does not say which of them to ask")
    _check_development(config, issuers)
    return Known(issuers=tuple(issuers), changing=changing, webs=tuple(webs), opaque=next(iter(opaque), None))


def web_of(config: Config, one: IssuerConfig) -> Web:
    """Open what calls the pages of an issuer; whoever opens it closes it. Raises `ConfigError`."""
    ca_file = config.at(one.ca_file) if one.ca_file else None
    return Web(guard=Guard(), ca_file=ca_file, proxy=one.proxy)


def _keys(config: Config, one: IssuerConfig, web: Web | None, tell: Tell) -> Keys:
    if one.secret_file:
        return FileKeys(alias=one.alias, path=config.at(one.secret_file), load=load_secret, tell=tell)
    if one.jwks_file or one.pem_file:
        return FileKeys(alias=one.alias, path=config.at(one.jwks_file or one.pem_file), load=load_keys, tell=tell)
    if web is None or not one.has_keys:
        return KeySet()
    max_age = float(one.keys_max_age_seconds)
    return RemoteKeys(
        alias=one.alias,
        source=source_of(one, web),
        ring=Ring(clock=time.time, monotonic=time.monotonic, max_age=max_age),
        max_age=max_age,
        tell=tell,
        monotonic=time.monotonic,
    )


def source_of(one: IssuerConfig, web: Get) -> Source:
    """Give where the keys of an issuer on the web come from."""
    if one.jwks_uri:
        return JwksPage(web, urls.written(one.jwks_uri))
    if isinstance(one.discovery, str):
        places: tuple[urls.Url, ...] = (urls.written(one.discovery),)
    else:
        places = discovery.candidates(urls.written(one.issuer))
    return Discovered(web, issuer=one.issuer, places=places, monotonic=time.monotonic)


def _introspection(config: Config, one: IssuerConfig, issuer: Issuer, web: Web, asked: Asked) -> Introspection:
    secret = load_client_secret(config.at(one.introspection_secret_file))
    return Introspection(
        issuer=issuer,
        web=web,
        url=urls.written(one.introspection_uri),
        authorization=basic(one.introspection_client_id, secret),
        trusted=one.introspection_audience == "trusted",
        clock=time.time,
        monotonic=time.monotonic,
        tell=asked,
    )


def _issuer(one: IssuerConfig, keys: Keys, *, qualify: bool) -> Issuer:
    return Issuer(
        alias=one.alias,
        issuer=one.issuer,
        algorithms=frozenset(one.algorithms),
        keys=keys,
        user_claim=one.user_claim,
        roles_claim=one.roles_claim,
        groups_claim=one.groups_claim,
        family_claim=one.family_claim,
        qualify=qualify,
        leeway=float(one.leeway_seconds),
        types=frozenset(one.token_types),
        required_claims=frozenset(one.required_claims),
        required_values={claim: frozenset(values) for claim, values in one.required_values.items()},
        optional_claims=frozenset(one.optional_claims),
        condition_claims=frozenset(one.condition_claims),
        client_tokens=one.client_tokens,
        development=one.development or any(key.development for key in keys.keys),
        opaque=bool(one.introspection_uri),
    )


def _check_development(config: Config, issuers: list[Issuer]) -> None:
    """Refuse what would let a key that lies beside the configuration open what other people rely on."""
    development = [one.alias for one in issuers if one.development]
    if development and len(issuers) > 1:
        raise ConfigError(f"the issuer `{development[0]}` is for development and cannot stand beside another issuer")
    if development and config.listen.tls_cert_file:
        raise ConfigError(f"the issuer `{development[0]}` is for development: remove TLS and listen on loopback")
