"""Asks a running MCP server what it offers, in the words of either era."""

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2

from authz_sidecar import __version__
from authz_sidecar.config import is_loopback
from authz_sidecar.errors import ConfigError
from authz_sidecar.strictjson import StrictJsonError, loads

LISTS: Final[Mapping[str, str]] = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
    "resourceTemplates": "resources/templates/list",
}
"""What stands in the result of each list, and the method that gives it."""
LOGGING: Final = "logging"
"""The capability of a server to which clients send `logging/setLevel`, some of them before anything else."""

_MODERN: Final = "2026-07-28"
_OLD: Final = "2025-11-25"
_SECONDS: Final = 10.0
_LARGEST: Final = 8 * 1024 * 1024
_PAGES: Final = 200
_CLIENT: Final = {"name": "authz-sidecar", "version": __version__}
_UNKNOWN: Final = -32601
_Message = dict[str, Any]


def lists(url: str, token: str = "") -> dict[str, list[dict[str, Any]]]:
    """Give every list with all its pages; raises `ConfigError` when the server does not answer as one of MCP.

    Nothing that the server says is trusted: sizes, pages and seconds are bounded, and redirects are not followed.
    """
    parts = httpx2.URL(url)
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ConfigError(f"--from-server: `{url}` is not a URL, for example http://127.0.0.1:8000/mcp")
    if token and parts.scheme == "http" and not is_loopback(f"{parts.host}:{parts.port or 80}"):
        raise ConfigError(f"--from-server: the token would go to {parts.host} in clear, use https")
    with httpx2.Client(timeout=_SECONDS, follow_redirects=False) as http:
        asked = _Server(http, url, {"Authorization": f"Bearer {token}"} if token else {})
        try:
            return asked.lists()
        except (httpx2.HTTPError, OSError) as error:
            raise ConfigError(f"--from-server: no answer from {url}: {str(error) or type(error).__name__}") from None


class _Server:
    def __init__(self, http: httpx2.Client, url: str, headers: dict[str, str]) -> None:
        self._http, self._url, self._headers = http, url, headers
        self._numbers = itertools.count(1)
        self._meta: dict[str, object] = {}

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Greet, then read all pages of every list that the server has; an empty one says that it has logging."""
        offered = self._discover() or self._initialize()
        found: dict[str, list[dict[str, Any]]] = {}
        for kind, method in LISTS.items():
            capability = "resources" if kind == "resourceTemplates" else kind
            if capability in offered:
                found[kind] = list(self._pages(kind, method))
        if LOGGING in offered:
            found[LOGGING] = []
        return found

    def _discover(self) -> _Message | None:
        """Greet in the stateless era; None where the server does not know it."""
        self._meta = {
            "io.modelcontextprotocol/protocolVersion": _MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": _CLIENT,
        }
        self._headers["MCP-Protocol-Version"] = _MODERN
        answer = self._ask("server/discover", {})
        capabilities = _member(_member(answer, "result"), "capabilities")
        if capabilities or "result" in answer:
            return capabilities
        self._meta = {}
        del self._headers["MCP-Protocol-Version"]
        return None

    def _initialize(self) -> _Message:
        """Greet in the era of sessions."""
        wanted: dict[str, object] = {"protocolVersion": _OLD, "capabilities": {}, "clientInfo": _CLIENT}
        answer = self._ask("initialize", wanted)
        result = _member(answer, "result")
        version = result.get("protocolVersion")
        if not isinstance(version, str):
            said = _member(answer, "error").get("message", "it is no MCP server")
            raise ConfigError(f"--from-server: {self._url} cannot be asked: {said!r}")
        self._headers["MCP-Protocol-Version"] = version
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"}, None)
        return _member(result, "capabilities")

    def _pages(self, kind: str, method: str) -> Iterator[dict[str, Any]]:
        cursor: object = None
        for _ in range(_PAGES):
            answer = self._ask(method, {} if cursor is None else {"cursor": cursor})
            error = _member(answer, "error")
            if error.get("code") == _UNKNOWN:
                return
            entries = _member(answer, "result").get(kind)
            if not isinstance(entries, list):
                raise ConfigError(f"--from-server: `{method}` gave no list: {error.get('message', 'nothing')!r}")
            yield from (entry for entry in entries if isinstance(entry, dict))
            cursor = _member(answer, "result").get("nextCursor")
            if not isinstance(cursor, str):
                return
        raise ConfigError(f"--from-server: `{method}` has more than {_PAGES} pages")

    def _ask(self, method: str, params: dict[str, object]) -> _Message:
        number = next(self._numbers)
        meta = {"_meta": self._meta} if self._meta else {}
        return self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params | meta}, number)

    def _send(self, message: _Message, number: int | None) -> _Message:
        headers = self._headers | {"Accept": "application/json, text/event-stream"}
        if self._meta:
            headers["Mcp-Method"] = message["method"]
        with self._http.stream("POST", self._url, json=message, headers=headers) as response:
            if response.status_code in (401, 403):
                raise ConfigError(f"--from-server: {self._url} answers {response.status_code}, give a --token-file")
            if 300 <= response.status_code < 400:
                raise ConfigError(f"--from-server: {self._url} leads elsewhere ({response.status_code}), name that URL")
            session = response.headers.get("mcp-session-id")
            if session:
                self._headers["Mcp-Session-Id"] = session
            if number is None:
                return {}
            streams = response.headers.get("content-type", "").lower().startswith("text/event-stream")
            return self._streamed(response, number) if streams else _parsed(b"".join(_bounded(response)))

    def _streamed(self, response: httpx2.Response, number: int) -> _Message:
        """Read events until the one that answers; a stream may stay open for ever."""
        waiting = b""
        for chunk in _bounded(response):
            waiting += chunk
            *lines, waiting = waiting.replace(b"\r\n", b"\n").split(b"\n")
            for line in lines:
                if line.startswith(b"data:") and (found := _parsed(line[5:])).get("id") == number:
                    return found
        return {}


def _bounded(response: httpx2.Response) -> Iterator[bytes]:
    size, end = 0, time.monotonic() + _SECONDS
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > _LARGEST or time.monotonic() > end:
            raise ConfigError(f"--from-server: the answer is larger than {_LARGEST} bytes, or takes too long")
        yield chunk


def _parsed(data: bytes) -> _Message:
    """Read JSON; what is none is an answer of another era or another server."""
    try:
        value = loads(data.strip())
    except StrictJsonError:
        return {}
    return value if isinstance(value, dict) else {}


def _member(value: Mapping[str, Any], key: str) -> _Message:
    found = value.get(key)
    return found if isinstance(found, dict) else {}
