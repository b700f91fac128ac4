"""The door of the authorization server: takes people in, asks them, and lets them go on."""

import time
from collections.abc import Sequence
from typing import assert_never

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from authz_sidecar.oauth.authorize import AuthorizationRequest, Authorizations
from authz_sidecar.oauth.door import Person
from authz_sidecar.oauth.errors import RequestRefused, UnsafeRequest
from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.people import headers, language
from authz_sidecar.oauth.people.account import AccountPages
from authz_sidecar.oauth.people.accounts import Accounts
from authz_sidecar.oauth.people.asking import Asking, Leaves, NeedsAnswer, NeedsLogin
from authz_sidecar.oauth.people.consent import ConsentPages
from authz_sidecar.oauth.people.consents import Consents
from authz_sidecar.oauth.people.login import Logins
from authz_sidecar.oauth.people.pages import Pages
from authz_sidecar.oauth.people.passwords import Passwords
from authz_sidecar.oauth.people.routes import Routes
from authz_sidecar.oauth.people.sessions import Sessions
from authz_sidecar.oauth.people.throttle import Throttle
from authz_sidecar.oauth.people.visit import Visit, Visits
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.ports import Clock


class People:
    """Is the core's `Door`."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Settings,
        authorizations: Authorizations,
        grants: Grants,
        clock: Clock,
        ticks: Clock = time.monotonic,
        passwords: Passwords | None = None,
    ) -> None:
        """Take the database, the core's answers and grants, a clock in seconds since the epoch, one that only rises."""
        self._base = settings.path
        self.accounts = Accounts(store, clock)
        sessions = Sessions(store, clock)
        consents = Consents(store, clock)
        self._pages = Pages(settings)
        self._visits = Visits(settings, sessions)
        self._logins = Logins(
            settings=settings,
            pages=self._pages,
            accounts=self.accounts,
            sessions=sessions,
            passwords=passwords or Passwords(),
            throttle=Throttle(ticks),
        )
        self._asking = Asking(authorizations=authorizations, accounts=self.accounts, consents=consents, clock=clock)
        self._consent = ConsentPages(settings=settings, pages=self._pages)
        self._routes = Routes(
            base=settings.path,
            authorizations=authorizations,
            accounts=self.accounts,
            sessions=sessions,
            visits=self._visits,
            pages=self._pages,
            logins=self._logins,
            asking=self._asking,
            consent=self._consent,
            account=AccountPages(
                settings=settings, pages=self._pages, sessions=sessions, consents=consents, grants=grants
            ),
        )

    async def person(self, subject: str) -> Person | None:
        """Give somebody who may have tokens now, with the roles and groups of this moment."""
        found = await self.accounts.find(subject)
        if found is None or found.disabled:
            return None
        return Person(subject=found.name, roles=found.roles, groups=found.groups)

    async def ask(self, http: Request, request: AuthorizationRequest) -> Response:
        """Answer an authorization request: a page, or the redirect to the client."""
        if http.method == "POST":
            # It may come from a client's page, and then without cookies (SameSite); as GET it brings them.
            return self._to(f"/authorize?{request.query}")
        visit = await self._visits.read(http, wished=request.ui_locales)
        match await self._asking.next(visit.session, request):
            case NeedsLogin(again=again):
                name = visit.session.account if visit.session else ""
                page = self._logins.page(visit, request=request, again=again, name=name)
                return self._visits.dress(page, http, visit)
            case NeedsAnswer() as needs:
                return self._visits.dress(self._consent.page(visit, request, needs), http, visit)
            case Leaves(location=location, trusted=True):
                return RedirectResponse(location, status_code=303, headers=headers.PAGE)
            case Leaves(location=location):
                return self._astray(visit, location)
            case never:
                assert_never(never)

    async def astray(self, http: Request, refusal: RequestRefused) -> Response:
        """Show where a stranger's request would lead, and follow it nowhere."""
        return self._astray(await self._visits.read(http), refusal.location)

    def _astray(self, visit: Visit, location: str) -> Response:
        return self._pages.leaving(visit.words, location, here=f"{self._base}/login", follow=False, status=400)

    def unavailable(self, http: Request) -> Response:
        """Say it in the browser's language."""
        words = language.chosen(accepted=http.headers.get("accept-language", ""))
        page = self._pages.message("away", words, here=f"{self._base}/login", status=503)
        page.headers["retry-after"] = "5"
        return page

    async def unsafe(self, http: Request, error: UnsafeRequest) -> Response:
        """Say that a request cannot be answered; no redirect, and no link that the request could choose."""
        visit = await self._visits.read(http)
        return self._pages.unsafe(visit.words, error, here=f"{self._base}/login")

    def routes(self) -> Sequence[BaseRoute]:
        """Give the pages."""
        return self._routes.all()

    def _to(self, path: str) -> Response:
        return RedirectResponse(f"{self._base}{path}", status_code=303, headers=headers.PAGE)
