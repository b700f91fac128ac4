"""ASGI middleware that asks the sidecar on every MCP request."""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from authz_sidecar.linelog import LineSink
from mcp_adapter.answering import SIDECAR, answering, start
from mcp_adapter.asgi_types import App, Event, Receive, Scope, Send
from mcp_adapter.body import Gone
from mcp_adapter.challenge import Challenger
from mcp_adapter.cors import Cors
from mcp_adapter.door import Door
from mcp_adapter.gate import Gate
from mcp_adapter.headers import Headers, without_token
from mcp_adapter.metadata import published
from mcp_adapter.pdp import NO_CONTEXT, Pdp, Unanswered
from mcp_adapter.principal import SCOPE_KEY
from mcp_adapter.record import ENDED, Entry, Recorder
from mcp_adapter.refusal import INVALID_REQUEST, SESSION_NOT_FOUND, UNANSWERED, Refusal
from mcp_adapter.reply import Reply
from mcp_adapter.sessions import Sessions
from mcp_adapter.staying import Staying
from mcp_adapter.streams import Pace, Streams
from mcp_adapter.unknown import Unknown

_log: Final = logging.getLogger(__name__)
_MIB: Final = 1024 * 1024
_OUTCOMES: Final = {SESSION_NOT_FOUND: "denied", UNANSWERED: "unanswered"}


class AuthzMiddleware:
    """Protects any MCP server that is an ASGI app; every request is asked about, and on doubt denied.

    `server` is the server's name in the policy (empty: the only one), `sidecar` is `unix:PATH` or `HOST:PORT`. With
    `config`, the path of an `authz.toml`, the sidecar runs inside this process instead; it starts and stops with the
    app's lifespan. Only `path` is served, and `public_paths` to anybody who reads (GET, HEAD); all else is 404.
    `timeout` is in seconds. `audit` is a sink, a file, or None for JSON lines on stderr. `client` replaces the
    connection to the sidecar, for example by one with TLS. Instances that share sessions share a `session_key`. Where
    `allowed_hosts` or `allowed_origins` are given, nothing else may stand in the header; pages of `cors_origins` may
    read the answers. `resource` and `authorization_servers` publish the metadata of RFC 9728. `denied` is how a final
    no is said: by 403, as the server speaks of what does not exist (`hide`), or by 200 with an error in it. `context`
    gives facts about a connection for conditions. `pace` is how patient we are with streams. Raises `ValueError` for
    what cannot be meant.
    """

    def __init__(
        self,
        app: App,
        *,
        server: str = "",
        sidecar: str = SIDECAR,
        config: Path | str | None = None,
        path: str = "/mcp",
        public_paths: Iterable[str] = ("/health",),
        resource_metadata: str | None = None,
        resource: str = "",
        authorization_servers: Iterable[str] = (),
        scopes_supported: Iterable[str] = (),
        scopes_hint: Iterable[str] = (),
        help_text: str = "",
        denied: Literal["403", "hide", "200"] = "403",
        timeout: float = 1.0,
        max_body: int = _MIB,
        audit: LineSink | Path | str | None = None,
        allowed_hosts: Iterable[str] | None = None,
        allowed_origins: Iterable[str] | None = None,
        cors_origins: Iterable[str] = (),
        context: Callable[[Scope], Mapping[str, str]] | None = None,
        client: Pdp | None = None,
        session_key: bytes | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Take the app and the settings; nothing is opened yet."""
        self._app = app
        self._server = server
        self._path = path
        self._public = frozenset(public_paths)
        if not path.startswith("/") or path in self._public:
            raise ValueError(f"path `{path}` does not begin with a slash, or is public as well")
        self._hosts = None if allowed_hosts is None else frozenset(allowed_hosts)
        self._cors = Cors(cors_origins)
        self._origins = None if allowed_origins is None else frozenset(allowed_origins) | self._cors.origins
        if denied not in ("403", "hide", "200"):
            raise ValueError(f"denied `{denied}` is none of `403`, `hide`, `200`")
        self._metadata = published(resource, authorization_servers, path=path, scopes=scopes_supported, name=server)
        self._pdp: Pdp = answering(sidecar=sidecar, config=config, client=client, timeout=timeout)
        self._recorder = Recorder(audit)
        self._challenger = Challenger(
            resource_metadata=resource_metadata or (self._metadata.url if self._metadata is not None else ""),
            scopes_hint=tuple(scopes_hint),
            help_text=help_text,
            softly=denied == "200",
        )
        self._door = Door(
            app=app,
            gate=Gate(self._pdp, server),
            challenger=self._challenger,
            sessions=Sessions(server, session_key),
            staying=Staying(Streams(self._pdp, pace=pace), self._challenger),
            max_body=max_body,
            unknown=Unknown(app) if denied == "hide" else None,
            context=context or (lambda scope: NO_CONTEXT),
            cors=self._cors,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(scope, receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1008})
                self._recorder.write(self._entry(scope, "WEBSOCKET", status=403))
            case other:
                raise RuntimeError(f"AuthzMiddleware does not serve `{other}`")

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        first: list[Event] = [await receive()]
        try:
            self._recorder.open()
            await start(self._pdp)
        except (OSError, ValueError, Unanswered) as error:
            # Said, not raised: web servers take an exception here for an app that has no lifespan, and serve it.
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            await self._close()
            return

        async def onward() -> Event:
            return first.pop() if first else await receive()

        try:
            await self._app(scope, onward, send)
        finally:
            await self._close()

    async def _close(self) -> None:
        await self._pdp.close()
        self._recorder.close()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry = self._entry(scope, scope["method"])
        reply = Reply(self._cors.wrap(scope, send), entry)
        try:
            if not self._recorder.ready():
                raise Refusal(503, UNANSWERED, "the audit log cannot be written")
            path = _route(scope)
            if self._metadata is not None and path in self._metadata.paths:
                self._headers(scope, any_origin=True)
                entry.outcome = "public"
                entry.status = await self._metadata.document(scope, send)
                return
            headers = self._headers(scope)
            entry.token = headers.token()
            if path in self._public:
                await self._serve_public(scope, headers, receive, reply, entry)
            elif path == self._path:
                await self._door.serve(scope, headers, receive, reply, entry)
            else:
                raise Refusal(404, INVALID_REQUEST, "not found")
        except Refusal as refusal:
            await self._refuse(refusal, reply, entry)
        except Gone:
            entry.outcome = "aborted"
        except Exception as error:  # the outermost catch: whatever breaks, nobody is let through
            entry.detail = type(error).__name__
            if reply.expected:  # the server's own fault, which the web server knows how to report
                entry.status = entry.status or 500
                raise
            _log.exception("adapter_failed")
            await self._refuse(Refusal(503, UNANSWERED, "the request could not be judged"), reply, entry)
        finally:
            if reply.started and not (reply.complete or reply.answered) and entry.outcome != ENDED:
                entry.outcome = "aborted"
            self._recorder.write(entry)

    async def _refuse(self, refusal: Refusal, reply: Reply, entry: Entry) -> None:
        entry.outcome = _OUTCOMES.get(refusal.code, "refused")
        entry.detail = entry.detail or refusal.message
        await reply.answer(self._challenger.refused(refusal))

    async def _serve_public(self, scope: Scope, headers: Headers, receive: Receive, reply: Reply, entry: Entry) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal(405, INVALID_REQUEST, "this path is for reading")
        entry.outcome = "public"
        reply.expect()
        onward = {
            **scope,
            "headers": headers.onward(session="", legacy=True),
            "query_string": without_token(scope.get("query_string", b"")),
            SCOPE_KEY: None,
        }
        await self._app(onward, receive, reply.send)

    def _headers(self, scope: Scope, *, any_origin: bool = False) -> Headers:
        headers = Headers(scope["headers"])
        if self._hosts is not None and headers.text(b"host") not in self._hosts:
            raise Refusal(403, INVALID_REQUEST, "this host is not served here")
        origin = headers.get(b"origin")
        if any_origin or self._origins is None or origin is None:
            return headers
        if origin.decode("latin-1") not in self._origins:
            raise Refusal(403, INVALID_REQUEST, "this origin is not accepted")
        return headers

    def _entry(self, scope: Scope, http_method: str, *, status: int = 0) -> Entry:
        return Entry(
            server=self._server,
            request_id=uuid.uuid4().hex,
            http_method=http_method,
            path=scope["path"],
            status=status,
        )


def _route(scope: Scope) -> str:
    """Give the path as the app will route it, or the empty one when its spelling leaves room for doubt.

    The threat: `/%6dcp` or `/mcp;x` is one path to us and another to the router (CVE-2019-9901).
    """
    path: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    if raw is not None and raw.partition(b"?")[0] != path.encode("utf-8", "surrogateescape"):
        return ""
    root: str = scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if root and path.startswith(root + "/") else path
