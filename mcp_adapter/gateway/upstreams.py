"""The connections to one server, and whether it is up."""

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx2

from mcp_adapter.gateway.carry import RawHeaders
from mcp_adapter.gateway.config import Server, place
from mcp_adapter.gateway.filed import Filed
from mcp_adapter.gateway.tell import BAD_GATEWAY, DOWN, TIMED_OUT, Trouble

_WRITE_SECONDS: Final = 30.0
# Servers close idle connections after 5 s (uvicorn, Node.js). We are the first to let go, since a request that meets a
# closing connection is lost: it is never sent twice.
_IDLE_SECONDS: Final = 3.0


class Failed(Exception):
    """The server did not answer; `trouble` says what the caller hears."""

    def __init__(self, trouble: Trouble) -> None:
        """Take what to say."""
        super().__init__(trouble.detail)
        self.trouble: Final = trouble


class Upstream:
    """Sends requests to one server: no redirect is followed, no cookie kept, no proxy of the environment used.

    After some connections in a row have failed, the server is left alone for a while.
    """

    def __init__(self, server: Server, base: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the server's section, the directory of relative files, and a clock in seconds; raises `ValueError`."""
        self._server = server
        self._clock = clock
        self._credential = None
        if (path := place(base, server.credential_file)) is not None:
            self._credential = Filed(path)
        self._transport = httpx2.AsyncHTTPTransport(
            verify=_context(server, base),
            trust_env=False,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=_IDLE_SECONDS),
        )
        self._failed = 0
        self._closed_until = 0.0
        self._probe: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether requests are sent to it at the moment."""
        return self._clock() >= self._closed_until

    @property
    def patience(self) -> float:
        """Seconds that it may be silent within an answer that is no stream."""
        return self._server.answer_timeout_seconds

    async def send(self, method: str, headers: RawHeaders, body: bytes) -> httpx2.Response:
        """Send a request and give the answer as soon as it begins; raises `Failed`. The caller closes the answer."""
        if not self.up:
            wait = max(1, round(self._closed_until - self._clock() + 0.5))
            raise Failed(_trouble(503, DOWN, "the server is down", "left alone after failures", wait))
        try:
            own = self._own()
        except ValueError as error:
            raise Failed(_trouble(502, BAD_GATEWAY, "the server could not be asked", str(error))) from None
        taken = {name for name, _ in own}
        sent = [*(pair for pair in headers if pair[0] not in taken), *own]
        return await self._exchange(method, self._server.url, sent, body)

    async def _exchange(self, method: str, url: str, headers: RawHeaders, body: bytes) -> httpx2.Response:
        timeouts = {
            "connect": self._server.connect_timeout_seconds,
            "write": _WRITE_SECONDS,
            "read": None,
            "pool": None,
        }
        request = httpx2.Request(method, url, headers=headers, content=body or None, extensions={"timeout": timeouts})
        try:
            async with asyncio.timeout(self._server.answer_timeout_seconds):
                response = await self._transport.handle_async_request(request)
        except TimeoutError:  # it may be busy with this one request, so it does not count as down
            limit = f"no answer within {self._server.answer_timeout_seconds:g} s"
            raise Failed(_trouble(504, TIMED_OUT, "the server did not answer in time", limit)) from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            self._count()
            raise Failed(
                _trouble(502, BAD_GATEWAY, "the server cannot be reached", f"{type(error).__name__}: {error}", 1)
            ) from None
        except (httpx2.TransportError, OSError) as error:
            raise Failed(
                _trouble(502, BAD_GATEWAY, "the server broke off", f"{type(error).__name__}: {error}")
            ) from None
        self._failed = 0
        return response

    def _own(self) -> RawHeaders:
        if self._credential is None:
            return []
        name, value = self._server.credential_header.lower(), self._credential.value()
        return [(name.encode("ascii"), b"Bearer " + value if name == "authorization" else value)]

    def _count(self) -> None:
        self._failed += 1
        if self._failed >= self._server.health.failures:
            # One more failure after the pause, and the pause begins again.
            self._closed_until = self._clock() + self._server.health.pause_seconds

    async def probe(self) -> bool:
        """Ask the health URL once, and say whether the server is up."""
        try:
            headers = [(b"accept-encoding", b"identity")]
            response = await self._exchange("GET", self._server.health.probe_url, headers, b"")
            await response.aclose()
        except Failed:
            healthy = False
        else:
            healthy = response.status_code < 500
        if healthy:
            self._closed_until = 0.0
        else:
            self._closed_until = self._clock() + 2 * self._server.health.interval_seconds
        return healthy

    def start(self) -> None:
        """Begin to ask the health URL, if there is one."""
        if self._server.health.probe_url and self._probe is None:
            self._probe = asyncio.create_task(self._probing())

    async def _probing(self) -> None:
        while True:
            await self.probe()
            await asyncio.sleep(self._server.health.interval_seconds)

    async def close(self) -> None:
        """Close every connection."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait({self._probe})
        await self._transport.aclose()


def _trouble(status: int, code: int, message: str, detail: str, retry_after: int = 0) -> Trouble:
    return Trouble(status=status, code=code, message=message, detail=f"upstream: {detail}", retry_after=retry_after)


def _context(server: Server, base: Path) -> ssl.SSLContext:
    """Make the TLS settings of a client: the server is always verified, there is no switch."""
    try:
        context = ssl.create_default_context(cafile=place(base, server.ca_file))
        if (certificate := place(base, server.cert_file)) is not None:
            context.load_cert_chain(certificate, place(base, server.key_file))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"the TLS files of server `{server.name}` cannot be used: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
