"""The token endpoint (RFC 6749 section 3.2): authenticates the client and hands it to the flow that it names."""

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from authz_sidecar.oauth.client import Client
from authz_sidecar.oauth.clientauth import ClientAuthentication
from authz_sidecar.oauth.clients import Registry
from authz_sidecar.oauth.errors import UnauthorizedClient, UnsupportedGrantType
from authz_sidecar.oauth.forms import Form, form
from authz_sidecar.oauth.replies import told


class Flow(Protocol):
    """One grant type."""

    async def answer(self, client: Client, given: Form) -> dict[str, object]:
        """Give the token response, or raise `OAuthError`."""
        ...


class TokenEndpoint:
    """Answers token requests."""

    def __init__(self, *, authentication: ClientAuthentication, registry: Registry, flows: Mapping[str, Flow]) -> None:
        """Take the flows by their `grant_type`."""
        self._authentication = authentication
        self._registry = registry
        self._flows = flows

    async def __call__(self, http: Request) -> Response:
        """Answer one; raises `OAuthError`."""
        given = await form(http)
        grant_type = given.need("grant_type")
        flow = self._flows.get(grant_type)
        if flow is None:
            raise UnsupportedGrantType("this grant type is not supported here")
        client = await self._authentication.client(http, given)
        if grant_type not in client.grant_types:
            raise UnauthorizedClient("the client is not registered for this grant type")
        answer = await flow.answer(client, given)
        await self._registry.used(client)
        return told(answer)
