"""A body that is no small one is read on for a verified caller alone."""

import pytest

from mcp_adapter.body import SMALL
from mcp_adapter.pdp import Fault, Unanswered
from tests.adapter.bench import Said, Upstream, tool
from tests.adapter.guarding import guard

JSON = [(b"content-type", b"application/json")]
ALICE = (b"authorization", b"Bearer token-alice")


class Sender:
    """A client that sends a body in pieces, and counts what is taken from it."""

    def __init__(self, body: bytes, piece: int = 16_384) -> None:
        self.pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
        self.said: list[dict[str, object]] = []
        self.taken = 0

    async def receive(self) -> dict[str, object]:
        if not self.pieces:
            return {"type": "http.disconnect"}
        piece = self.pieces.pop(0)
        self.taken += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, event: dict[str, object]) -> None:
        self.said.append(event)

    async def ask(self, app, *headers: tuple[bytes, bytes]) -> object:
        scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": [*JSON, *headers], "query_string": b""}
        await app(scope, self.receive, self.send)
        return self.said[0]["status"]


LARGE = tool("t", text="x" * 500_000)


@pytest.mark.parametrize(
    ("reason", "status", "outcome"),
    [
        pytest.param("token_expired", 401, "denied", id="a bad token"),
        pytest.param("no answer", 503, "unanswered", id="nobody to ask"),
    ],
)
async def test_a_stranger_is_not_listened_to_for_long(reason, status, outcome):
    upstream, pdp = Upstream(), Said(allowed=False, reason=reason)
    if status == 503:
        pdp.error = Unanswered(Fault.UNAVAILABLE, "down")
    app, lines = guard(upstream, pdp)
    sender = Sender(LARGE)
    assert await sender.ask(app, ALICE) == status
    assert SMALL < sender.taken <= SMALL + 16_384
    assert [item.method for item in pdp.items] == ["ping"]
    assert (lines.last["outcome"], lines.last["status"], upstream.bodies) == (outcome, status, [])
    if status == 401:
        assert b'"id":null' in sender.said[1]["body"]
        assert dict(sender.said[0]["headers"])[b"www-authenticate"].startswith(b'Bearer error="invalid_token"')


async def test_a_verified_caller_is_asked_about_once_more_and_its_very_bytes_go_on():
    upstream, pdp = Upstream(), Said()
    app, lines = guard(upstream, pdp)
    sender = Sender(LARGE)
    assert await sender.ask(app, ALICE) == 200
    assert upstream.bodies == [LARGE]
    assert [(item.method, item.tool) for item in pdp.items] == [("ping", ""), ("tools/call", "t")]
    assert (lines.last["method"], lines.last["tool"]) == ("tools/call", "t")


@pytest.mark.parametrize("pdp", [Said(allowed=False), Said(allowed=False, reason="token_expired", observe=True)])
async def test_who_is_only_denied_or_watched_is_read_to_the_end(pdp):
    app, lines = guard(Upstream(), pdp)
    sender = Sender(LARGE)
    assert await sender.ask(app, ALICE) == (200 if pdp.observe else 403)
    assert (sender.taken, lines.last["method"]) == (len(LARGE), "tools/call")


async def test_a_small_body_is_one_question():
    pdp = Said()
    app, _ = guard(pdp=pdp)
    assert await Sender(tool("t", text="x" * 1_000)).ask(app, ALICE) == 200
    assert [item.method for item in pdp.items] == ["tools/call"]


async def test_without_a_token_nothing_is_read():
    app, _ = guard(pdp=Said(allowed=False, reason="token_missing"))
    sender = Sender(LARGE)
    assert (await sender.ask(app), sender.taken) == (401, 0)
