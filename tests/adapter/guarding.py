"""A guarded app, and requests to it: of the new era, and past every HTTP client."""

from mcp_adapter import AuthzMiddleware
from tests.adapter.bench import Lines, Said, Upstream, call, post
from tests.adapter.wire import META, MODERN

CANARY = "canary-9f8e7d6c5b4a"


def guard(app=None, pdp=None, **settings):
    lines = settings.pop("audit", None) or Lines()
    return AuthzMiddleware(app or Upstream(), server="ops", client=pdp or Said(), audit=lines, **settings), lines


async def raw_request(app, headers, chunks, *, method="POST", path="/mcp", raw_path=None, gone=False):
    """Send a request past every HTTP client; gives status and body."""
    events = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    events.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b""})
    if not any(name == b"authorization" for name, _ in headers):
        headers = [*headers, (b"authorization", b"Bearer token-alice")]
    said = []

    async def receive():
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(event):
        said.append(event)

    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    if raw_path is not None:
        scope["raw_path"] = raw_path
    await app(scope, receive, send)
    return said[0]["status"] if said else None, b"".join(event.get("body", b"") for event in said[1:])


class Lifespan:
    """An app with a lifespan."""

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        for moment in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{moment}"
            await send({"type": f"lifespan.{moment}.complete"})


async def modern(app, method, params, **headers):
    body = call(method, {**params, "_meta": META})
    named = {"mcp_name": params["name"]} if "name" in params else {}
    return await post(app, body, mcp_protocol_version=MODERN, mcp_method=method, **named, **headers)
