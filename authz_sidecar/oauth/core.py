"""The authorization server, put together: everything but the people, who come in by their door."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from authz_sidecar.oauth import metadata
from authz_sidecar.oauth.access import AccessTokens
from authz_sidecar.oauth.admission import Admission
from authz_sidecar.oauth.app import app
from authz_sidecar.oauth.assertions import Replays
from authz_sidecar.oauth.authorize import Authorizations
from authz_sidecar.oauth.clientauth import ClientAuthentication, ClientKeys
from authz_sidecar.oauth.clients import Documents, Registry
from authz_sidecar.oauth.door import Directory, Door
from authz_sidecar.oauth.flow_assertion import JWT_BEARER, AssertionFlow, IdentityProvider
from authz_sidecar.oauth.flow_client import CLIENT_CREDENTIALS, ClientFlow
from authz_sidecar.oauth.flow_code import AUTHORIZATION_CODE, CodeFlow
from authz_sidecar.oauth.flow_refresh import REFRESH_TOKEN, RefreshFlow
from authz_sidecar.oauth.forwarded import Forwarded
from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.hosts import Hosts
from authz_sidecar.oauth.introspect import IntrospectionEndpoint
from authz_sidecar.oauth.keyring import Keyring
from authz_sidecar.oauth.outbox import Outbox
from authz_sidecar.oauth.register import Registration
from authz_sidecar.oauth.replies import Endpoint, speaking
from authz_sidecar.oauth.revoke import RevocationEndpoint
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauth.token import Flow, TokenEndpoint
from authz_sidecar.ports import Clock, Revokes

_TIDY_EVERY: Final = 600.0

_log: Final = structlog.stdlib.get_logger("authz_sidecar.oauth")


class Core:
    """Every part, connected; nothing is opened here."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        targets: Mapping[str, Revokes] | None = None,
        documents: Documents | None = None,
        published: ClientKeys | None = None,
        providers: Sequence[IdentityProvider] = (),
    ) -> None:
        """Take the database, the keys, whom to tell of revocations, and whom to believe about clients and people."""
        self.settings = settings
        self.store = store
        self.keyring = keyring
        self.outbox = Outbox(store=store, issuer=settings.issuer, targets=targets or {}, clock=clock)
        self.registry = Registry(store=store, settings=settings, clock=clock, documents=documents)
        self.admission = Admission(settings=settings, registry=self.registry)
        self.grants = Grants(store=store, settings=settings, clock=clock, outbox=self.outbox)
        self.tokens = AccessTokens(
            settings=settings, keyring=keyring, grants=self.grants, store=store, outbox=self.outbox, clock=clock
        )
        self.authorizations = Authorizations(settings=settings, clients=self.registry, codes=self.grants)
        self._clock = clock
        self._providers = providers
        self._replays = Replays(store=store, clock=clock)
        self._authentication = ClientAuthentication(
            settings=settings, clients=self.registry, replays=self._replays, clock=clock, published=published
        )

    def application(self, door: Door, *, hosts: Iterable[str] = (), address_header: str = "") -> ASGIApp:
        """Give the application; `hosts` are names beside the issuer's by which it may be called.

        `address_header` is where a proxy on this machine writes the address of who calls.
        """
        made = app(settings=self.settings, authorizations=self.authorizations, door=door, routes=self._routes(door))
        guarded = Hosts(made, issuer=self.settings.issuer, more=hosts)
        return Forwarded(guarded, header=address_header)

    def flows(self, people: Directory) -> dict[str, Flow]:
        """Give the flows by their `grant_type`."""
        settings, grants, tokens = self.settings, self.grants, self.tokens
        found: dict[str, Flow] = {
            AUTHORIZATION_CODE: CodeFlow(settings=settings, grants=grants, tokens=tokens, people=people),
            REFRESH_TOKEN: RefreshFlow(settings=settings, grants=grants, tokens=tokens, people=people),
            CLIENT_CREDENTIALS: ClientFlow(settings=settings, tokens=tokens),
        }
        if self._providers:
            found[JWT_BEARER] = AssertionFlow(
                settings=settings, tokens=tokens, people=people, replays=self._replays, providers=self._providers
            )
        return found

    async def run(self) -> None:
        """Tell sidecars what they missed, and forget what is over, for ever; ends only when cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.outbox.run())
            group.create_task(self._tidy())

    async def _tidy(self) -> None:
        while True:
            try:
                await self.tidy()
            except SQLAlchemyError as error:  # a database that is away for a moment must not end the server
                _log.error("oauth_database_failed", detail=type(error).__name__)
            await asyncio.sleep(_TIDY_EVERY)

    async def tidy(self) -> None:
        """Forget what is over."""
        await self.grants.tidy()
        await self._replays.tidy()
        await self.registry.tidy()

    def _routes(self, people: Directory) -> list[BaseRoute]:
        authentication, flows = self._authentication, self.flows(people)
        endpoints: dict[str, Endpoint] = {
            "token": TokenEndpoint(authentication=authentication, registry=self.registry, flows=flows),
            "revoke": RevocationEndpoint(authentication=authentication, grants=self.grants, tokens=self.tokens),
            "introspect": IntrospectionEndpoint(
                authentication=authentication, tokens=self.tokens, clients=self.registry, people=people
            ),
        }
        if self.settings.registration:
            endpoints["register"] = Registration(
                settings=self.settings, registry=self.registry, admission=self.admission, clock=self._clock
            )
        return [
            *metadata.routes(self.settings, self.keyring, grant_types=[*flows]),
            *(
                Route(f"{self.settings.path}/{name}", speaking(name, endpoint), methods=["POST", "OPTIONS"])
                for name, endpoint in endpoints.items()
            ),
        ]
