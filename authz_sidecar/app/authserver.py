"""Runs the authorization server: builds its core and its people, opens the door, and closes it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import structlog

from authz_sidecar.app import authparts, authseed
from authz_sidecar.config import Config, is_loopback
from authz_sidecar.errors import ConfigError
from authz_sidecar.http.listen import HttpServer
from authz_sidecar.oauth.core import Core
from authz_sidecar.oauth.people.door import People
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.ports import Revokes
from authz_sidecar.serving import allow_files

_CONCURRENCY: Final = 1_024
_FILES: Final = 4 * _CONCURRENCY
"""Open files that we ask for: a socket that has not begun with TLS yet counts as no connection, and holds one."""

_log = structlog.get_logger("authz_sidecar.oauth")


async def serve(config: Config, *, stop: asyncio.Event | None = None, started: asyncio.Event | None = None) -> None:
    """Answer until SIGTERM, SIGINT or `stop`; raises `ConfigError` when it cannot begin."""
    stop = stop or asyncio.Event()
    allow_files(_FILES)
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError):  # not the main thread: whoever runs us stops us by `stop`
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(config) as (core, people):
        await authseed.sow(config, core)
        http = _listener(config, core, people)
        url = await http.start()
        tending = asyncio.create_task(core.run())
        _log.info("oauth_listening", http=url, issuer=core.settings.issuer, development=core.settings.development)
        if core.settings.secure and not config.oauth.tls_cert_file and not config.oauth.client_address_header:
            # One who guesses would slow down everybody, since all come from the proxy.
            _log.warning("oauth_callers_share_one_address", hint="set `oauth.client_address_header`")
        if not core.settings.secure and urlsplit(core.settings.origin).port != urlsplit(url).port:
            # Without TLS there is seldom a proxy: clients would be sent to where nobody answers.
            _log.warning("oauth_issuer_is_elsewhere", hint=f"`oauth.issuer` is not {url}: mend it, or `oauth.bind`")
        if started is not None:
            started.set()
        try:
            await _first(stop, tending)
        finally:
            tending.cancel()
            await http.stop()


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[Core, People]]:
    """Open the database and the keys, make them at the first start, and let go at the end; raises `ConfigError`."""
    settings = authparts.settings(config)
    authparts.prepare(config)
    store = authparts.store(config)
    web = authparts.Outside(config)
    targets = authparts.targets(config)
    try:
        await store.migrate()
        core = _core(config, settings, store, web, targets)
        yield core, _people(core)
    finally:
        await web.close()
        for one in targets.values():
            await one.close()
        await store.close()


def _core(
    config: Config, settings: Settings, store: Store, web: "authparts.Outside", targets: Mapping[str, Revokes]
) -> Core:
    return Core(
        settings=settings,
        store=store,
        keyring=authparts.keyring(config),
        clock=time.time,
        targets=targets,
        documents=web.documents(),
        published=web.published(),
        providers=web.providers(),
    )


def _people(core: Core) -> People:
    return People(
        store=core.store,
        settings=core.settings,
        authorizations=core.authorizations,
        grants=core.grants,
        clock=time.time,
    )


def _listener(config: Config, core: Core, people: People) -> HttpServer:
    given = config.oauth
    host, _, port = given.bind.rpartition(":")
    tls = (config.at(given.tls_cert_file), config.at(given.tls_key_file)) if given.tls_cert_file else None
    if not port.isdecimal():
        raise ConfigError(f"`oauth.bind` is `{given.bind}`, expected `HOST:PORT`")
    if tls is None and not is_loopback(given.bind):
        raise ConfigError("`oauth.bind` is open to the network: passwords need `tls_cert_file`, or a proxy before us")
    return HttpServer(
        core.application(people, hosts=given.allowed_hosts, address_header=given.client_address_header),
        host=host.strip("[]"),
        port=int(port),
        beyond_loopback=tls is not None,
        concurrency=_CONCURRENCY,
        tls=tls,
    )


async def _first(stop: asyncio.Event, tending: asyncio.Task[None]) -> None:
    """Wait for the end; a background task that fails ends everything, since nobody would be told of revocations."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, tending}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if tending.done():
        tending.result()
