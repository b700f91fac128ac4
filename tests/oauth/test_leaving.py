"""Callers that leave in the middle of a request: nothing is done, and nothing but a refusal could be logged."""

from pathlib import Path

import pytest
import structlog
from starlette.types import Message

from authz_sidecar.oauth.people.door import People
from tests.oauth.world import ISSUER, world


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/token", "application/x-www-form-urlencoded"),
        ("/revoke", "application/x-www-form-urlencoded"),
        ("/introspect", "application/x-www-form-urlencoded"),
        ("/authorize", "application/x-www-form-urlencoded"),
        ("/login", "application/x-www-form-urlencoded"),
        ("/consent", "application/x-www-form-urlencoded"),
        ("/register", "application/json"),
    ],
)
async def test_who_leaves_in_the_middle_of_a_body_leaves_no_trace(tmp_path: Path, path: str, kind: str) -> None:
    coming: list[Message] = [
        {"type": "http.request", "body": b'{"half', "more_body": True},
        {"type": "http.disconnect"},
    ]
    answers: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (b"host", b"as.example"),
            (b"content-type", kind.encode()),
            (b"origin", ISSUER.encode()),
        ],
        "client": ("192.0.2.1", 1),
        "server": ("as.example", 443),
    }
    async with world(tmp_path) as made:
        core = made.core
        people = People(
            store=core.store,
            settings=core.settings,
            authorizations=core.authorizations,
            grants=core.grants,
            clock=made.now,
        )
        with structlog.testing.capture_logs() as said:
            await core.application(people)(scope, receive, send)
        assert coming == []
        assert answers[0]["status"] == 400
        assert [one for one in said if one["log_level"] not in ("info", "debug")] == []
        assert await core.registry.list() == []
