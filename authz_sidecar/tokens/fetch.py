"""Fetching over HTTP: bounded in size and time, no redirects, nothing from the environment."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx2

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens.guard import Guard, Refused
from authz_sidecar.tokens.pages import FetchFailed, Outcome, Page
from authz_sidecar.tokens.urls import Url

LARGEST: Final = 524_288
"""Bytes of a body."""
SECONDS: Final = 5.0
"""For a whole fetch, from the look-up of the name to the last byte."""

_MOST_ADDRESSES: Final = 3
# Compressed, a small body could become a large one.
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "authz-sidecar"}


class Web:
    """Calls the pages of one issuer."""

    def __init__(
        self,
        *,
        guard: Guard,
        ca_file: Path | None = None,
        proxy: str = "",
        seconds: float = SECONDS,
        largest: int = LARGEST,
    ) -> None:
        """Take the operator's CA bundle and proxy for what the operator named; raises `ConfigError`."""
        self._guard = guard
        self._seconds = seconds
        self._largest = largest
        self._tls = _tls(ca_file)
        self._client = self._open(proxy)

    async def get(self, url: Url, *, foreign: bool = False, etag: str = "") -> Page:
        """Fetch a page, or raise `FetchFailed`; with `etag` the answer may be 304."""
        headers = _HEADERS | ({"if-none-match": etag} if etag else {})
        request = httpx2.Request("GET", str(url), headers=headers)
        return await self._bounded(url, request, foreign=foreign, fine=(200, 304) if etag else (200,))

    async def post(self, url: Url, form: Mapping[str, str], *, authorization: str) -> Page:
        """Send a form to a URL of the operator, or raise `FetchFailed`."""
        headers = _HEADERS | {"authorization": authorization}
        return await self._bounded(url, httpx2.Request("POST", str(url), headers=headers, data=dict(form)), fine=(200,))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def _open(self, proxy: str = "") -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=self._tls,
            proxy=proxy or None,
            trust_env=False,
            follow_redirects=False,
            timeout=self._seconds,
        )

    async def _bounded(
        self, url: Url, request: httpx2.Request, *, foreign: bool = False, fine: tuple[int, ...]
    ) -> Page:
        try:
            async with asyncio.timeout(self._seconds):
                return await (self._guarded(url, request, fine) if foreign else self._call(self._client, request, fine))
        except Refused as error:
            raise FetchFailed(Outcome.FORBIDDEN, f"{url} may not be called: {error}") from None
        except (TimeoutError, httpx2.TimeoutException):
            raise FetchFailed(Outcome.TIMEOUT, f"{url} did not answer within {self._seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError, ValueError) as error:
            raise FetchFailed(Outcome.UNREACHABLE, f"{url} cannot be reached: {_why(error)}") from None
        except FetchFailed as error:
            raise FetchFailed(error.outcome, f"{url} {error}") from None

    async def _guarded(self, url: Url, request: httpx2.Request, fine: tuple[int, ...]) -> Page:
        """Call a checked address under the name that was checked; the certificate must be for the name."""
        failure: httpx2.ConnectError | None = None
        for address in (await self._guard.addresses(url))[:_MOST_ADDRESSES]:
            literal = f"[{address}]" if ":" in address else address
            pinned = httpx2.Request(
                request.method,
                f"https://{literal}:{url.origin.port}{url.target}",
                headers={**request.headers, "host": url.origin.authority},
                extensions={"sni_hostname": url.origin.host},
            )
            # A client of its own: connections are pooled by address, and one address may have many names.
            async with self._open() as client:
                try:
                    return await self._call(client, pinned, fine)
                except httpx2.ConnectError as error:
                    failure = error
        raise failure or Refused("no address is left")

    async def _call(self, client: httpx2.AsyncClient, request: httpx2.Request, fine: tuple[int, ...]) -> Page:
        response = await client.send(request, stream=True)
        try:
            if response.status_code not in fine:
                raise FetchFailed(Outcome.BAD_STATUS, f"answered with the status {response.status_code}")
            headers = {name.lower(): value for name, value in response.headers.items()}
            ends = _certificate_ends(response)
            if response.status_code == 304:
                return Page(status=304, headers=headers, certificate_ends=ends)
            _check_kind(headers)
            return Page(status=200, headers=headers, body=await self._read(response), certificate_ends=ends)
        finally:
            await response.aclose()

    async def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > self._largest:
                raise FetchFailed(Outcome.TOO_LARGE, f"answered with more than {self._largest} bytes")
        return bytes(body)


def _certificate_ends(response: httpx2.Response) -> float | None:
    stream = response.extensions.get("network_stream")
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    shown = None if tls is None else tls.getpeercert()
    return ssl.cert_time_to_seconds(shown["notAfter"]) if shown else None


def _check_kind(headers: Mapping[str, str]) -> None:
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise FetchFailed(Outcome.BAD_CONTENT, "answered with a compressed body, which was not asked for")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise FetchFailed(Outcome.BAD_CONTENT, "answered with something else than JSON, by its content type")


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx2.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        why = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"{ca_file}: {why}; name a file of the authorities' certificates") from None


def _why(error: Exception) -> str:
    """Name the failure; its words may hold a URL of a redirect or a header, but no body."""
    return f"{type(error).__name__} {error}".strip()[:200]
