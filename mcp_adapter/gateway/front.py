"""The whole gateway as one object: started from a file, kept up to date with it, and stopped."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from authz_sidecar.linelog import LineLog, LineSink
from authz_sidecar.serving import allow_files
from mcp_adapter.client import SidecarClient
from mcp_adapter.gateway.app import App
from mcp_adapter.gateway.config import Gateway, place
from mcp_adapter.gateway.configfile import ConfigError, load
from mcp_adapter.gateway.filed import Filed
from mcp_adapter.gateway.listen import Listener
from mcp_adapter.gateway.metrics import Metrics
from mcp_adapter.gateway.rates import Counted
from mcp_adapter.gateway.served import Shared
from mcp_adapter.gateway.signature import signature
from mcp_adapter.gateway.signer import secret, signer
from mcp_adapter.gateway.status import Status
from mcp_adapter.gateway.tls import Certificates

_log: Final = logging.getLogger(__name__)
_OWN_FILES: Final = 512
"""Logs, keys, the sidecar, and some to spare."""


class Front:
    """Everything of one process."""

    def __init__(self, path: Path) -> None:
        """Read the file and open what it names; raises `ConfigError`."""
        self._path = path
        self._seen = signature([path])
        self._config = load(path)
        self._refused = ""
        self.metrics = Metrics()
        try:
            self._shared = _shared(self._config, path.parent.resolve())
            self._certificates = _certificates(self._config, path.parent.resolve())
        except (ValueError, OSError) as error:
            raise ConfigError(f"{path}: {error}") from None
        self.app = App(self._shared, self.metrics)
        self.url = ""
        """Where clients come in, once it is started."""
        self.status_url = ""
        self._listeners: list[Listener] = []

    async def start(self) -> None:
        """Serve; raises `ConfigError`."""
        listen, status = self._config.listen, self._config.status
        tls = None if self._certificates is None else self._certificates.context
        try:
            await self.app.serve(self._config)
            allow_files(2 * listen.max_connections + _OWN_FILES)  # each may have one to its server
            self.url = await self._listen(Listener(self.app, listen.bind, tls=tls, most=listen.max_connections))
            if status.bind:
                page = Status(
                    metrics=self.metrics, servers=self.up, jwks=self._shared.signer.jwks, hosts=status.allowed_hosts
                )
                self.status_url = await self._listen(Listener(page, status.bind, most=64))
        except (ValueError, OSError) as error:
            await self.stop()
            raise ConfigError(f"{self._path}: {error}") from None

    def up(self) -> dict[str, bool]:
        """Say of each server whether requests are sent to it."""
        return {one.server.name: one.upstream.up for one in self.app.plan.servers.values()}

    async def refresh(self) -> bool:
        """Look at the files, take what changed, and say whether anything did; what is wrong is logged and kept out."""
        return any([self._renew(), await self._reload()])

    async def watch(self, interval: float = 1.0) -> None:
        """Keep up with the files until cancelled."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - the watcher's own loop: whatever breaks, the last good configuration stays
                _log.exception("gateway_refresh_failed")

    async def stop(self) -> None:
        """End streams, let requests in flight finish, and close everything; no event is lost."""
        self.app.end_streams()
        for listener in self._listeners:
            await listener.stop()
        await self.app.close()
        await self._shared.rates.close()
        if self._shared.sink is not None:
            await asyncio.to_thread(self._shared.sink.close)

    async def _listen(self, listener: Listener) -> str:
        url = await listener.start()
        self._listeners.append(listener)
        return url

    def _renew(self) -> bool:
        try:
            renewed = self._certificates is not None and self._certificates.refresh()
        except ValueError as error:
            self._refuse(str(error))
            return False
        if renewed:
            _log.info("gateway_certificates_renewed")
        return renewed

    async def _reload(self) -> bool:
        seen = signature([self._path])
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            config = load(self._path)
            if _fixed(config) != _fixed(self._config):
                raise ConfigError(f"{self._path}: {_FIXED} change only at a restart; nothing of the edit was taken")
            await self.app.serve(config)
        except (ConfigError, ValueError, OSError) as error:
            self.metrics.reloaded("refused")
            self._refuse(str(error))
            return False
        self._config, self._refused = config, ""
        self.metrics.reloaded("applied")
        _log.info("gateway_config_applied servers=%d", len(config.servers))
        return True

    def _refuse(self, why: str) -> None:
        if why != self._refused:
            _log.error("gateway_edit_refused: %s", why)
        self._refused = why


_FIXED: Final = "`state_dir`, `[listen]`, `[status]`, `[sidecar]`, `[audit]` and `[counting]`"


def _fixed(config: Gateway) -> tuple[object, ...]:
    return (config.state_dir, config.listen, config.status, config.sidecar, config.audit, config.counting)


def _shared(config: Gateway, base: Path) -> Shared:
    state = base / config.state_dir
    audit = place(base, config.audit.path)
    redis = place(base, config.counting.redis_url_file)
    sink: LineSink | None = None if audit is None else LineLog(audit)
    return Shared(
        base=base,
        sink=sink,
        signer=signer(state),
        session_key=secret(state / "session.key"),
        rates=Counted("" if redis is None else Filed(redis).value().decode("ascii")),
        pdp=lambda: sidecar(config, base),
    )


def sidecar(config: Gateway, base: Path) -> SidecarClient:
    """Make a connection to the sidecar; raises `ValueError`."""
    said = config.sidecar
    scheme, _, path = said.target.partition(":")
    target = f"unix:{base / path}" if scheme == "unix" else said.target
    return SidecarClient(
        target,
        timeout=said.timeout_seconds,
        ca=place(base, said.ca_file),
        cert=place(base, said.cert_file),
        key=place(base, said.key_file),
    )


def _certificates(config: Gateway, base: Path) -> Certificates | None:
    listen = config.listen
    cert, key = place(base, listen.tls_cert_file), place(base, listen.tls_key_file)
    if cert is None or key is None:
        return None
    return Certificates(cert, key, place(base, listen.client_ca_file))
