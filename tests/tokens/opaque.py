"""An issuer of opaque tokens that a test scripts, and a verifier that asks it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken, Reason, Server
from authz_sidecar.tokens.introspection import Introspection, basic
from authz_sidecar.tokens.pages import FetchFailed, Page
from authz_sidecar.tokens.urls import Url, parse
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import AUDIENCE, DROP, ISSUER, NOW, SERVER, issuer
from tests.tokens.provider import Time

OPAQUE = "2YotnFZFEjr1zCsicMWpAA"
URL = parse("https://idp.example/introspect")


def answer(**changes: Any) -> dict[str, Any]:
    usual = {
        "active": True,
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "exp": NOW + 300,
        "client_id": "cli",
        "scope": "tickets:read tickets:write",
        "token_type": "Bearer",
    }
    return {name: value for name, value in (usual | changes).items() if value is not DROP}


class Idp:
    """A `Post` that a test scripts."""

    def __init__(self, body: object = None) -> None:
        self.body = answer() if body is None else body
        self.failure: FetchFailed | None = None
        self.asked: list[Mapping[str, str]] = []
        self.gate: asyncio.Event | None = None

    async def post(self, url: Url, form: Mapping[str, str], *, authorization: str) -> Page:
        assert (url, authorization) == (URL, basic("sidecar", "s3cret"))
        self.asked.append(form)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Page(
            status=200, headers={}, body=self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        )


class House:
    def __init__(self, idp: Idp | None = None, *, trusted: bool = False, size: int = 100, **changes: Any) -> None:
        self.time = Time(NOW)
        self.idp = idp or Idp()
        self.told: list[tuple[str, str, str]] = []
        by = issuer(opaque=True, **changes)
        self.opaque = Introspection(
            issuer=by,
            web=self.idp,
            url=URL,
            authorization=basic("sidecar", "s3cret"),
            trusted=trusted,
            clock=self.time.clock,
            monotonic=self.time.monotonic,
            tell=lambda *news: self.told.append(news),
            size=size,
        )
        self.verifier = JwtVerifier([by], clock=self.time.clock, opaque=self.opaque)

    async def verify(self, text: str = OPAQUE, server: Server = SERVER) -> str:
        async with asyncio.timeout(10):
            return (await self.verifier.verify(RawToken(text), server)).subject

    async def reason(self, text: str = OPAQUE, server: Server = SERVER) -> Reason:
        with pytest.raises(TokenError) as caught:
            await self.verify(text, server)
        assert len(text) < 8 or text not in str(caught.value)
        return caught.value.reason
