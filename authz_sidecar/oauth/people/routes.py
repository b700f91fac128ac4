"""The addresses of the pages, and what their forms do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from authz_sidecar.oauth.authorize import AuthorizationRequest, Authorizations
from authz_sidecar.oauth.errors import RequestRefused, UnsafeRequest
from authz_sidecar.oauth.people import account, csrf, headers, login
from authz_sidecar.oauth.people.account import AccountPages
from authz_sidecar.oauth.people.accounts import Accounts
from authz_sidecar.oauth.people.asking import Asking, Leaves
from authz_sidecar.oauth.people.consent import ConsentPages
from authz_sidecar.oauth.people.login import Logins, Refused
from authz_sidecar.oauth.people.pages import Pages
from authz_sidecar.oauth.people.sessions import Session, Sessions
from authz_sidecar.oauth.people.visit import Foreign, Visit, Visits

Fields = Mapping[str, str]
Form = Callable[[Request, Visit, Fields], Awaitable[Response]]


class Routes:
    """Login, consent, account, logout. Every POST is held to its CSRF token before it does anything."""

    def __init__(
        self,
        *,
        base: str,
        authorizations: Authorizations,
        accounts: Accounts,
        sessions: Sessions,
        visits: Visits,
        pages: Pages,
        logins: Logins,
        asking: Asking,
        consent: ConsentPages,
        account: AccountPages,
    ) -> None:
        """Take the path that all begin with, and what they show."""
        self._base = base
        self._authorizations = authorizations
        self._accounts = accounts
        self._sessions = sessions
        self._visits = visits
        self._pages = pages
        self._logins = logins
        self._asking = asking
        self._consent = consent
        self._account = account

    def all(self) -> Sequence[BaseRoute]:
        """Give them."""
        forms = ("consent", "account/withdraw", "account/sessions", "logout")
        return [
            # Whoever loads the address of a form anew finds a page, not an error.
            *(Route(f"{self._base}/{name}", self._home, methods=["GET"]) for name in forms),
            Route(f"{self._base}/login", self._login_page, methods=["GET"]),
            Route(f"{self._base}/login", self._form(self._log_in), methods=["POST"]),
            Route(f"{self._base}/consent", self._form(self._answered), methods=["POST"]),
            Route(f"{self._base}/account", self._account_page, methods=["GET"]),
            Route(f"{self._base}/account/withdraw", self._form(self._withdraw), methods=["POST"]),
            Route(f"{self._base}/account/sessions", self._form(self._end), methods=["POST"]),
            Route(f"{self._base}/logout", self._form(self._log_out), methods=["POST"]),
        ]

    def _form(self, handle: Form) -> Callable[[Request], Awaitable[Response]]:
        async def posted(http: Request) -> Response:
            visit = await self._visits.read(http)
            try:
                return await handle(http, visit, await self._visits.form(http))
            except Foreign:
                return self._stale(visit)
            except UnsafeRequest as error:
                return self._pages.unsafe(visit.words, error, here=f"{self._base}/login")
            except RequestRefused as refusal:
                return self._leaving(visit, refusal.location, follow=refusal.trusted)

        return posted

    async def _home(self, _: Request) -> Response:
        return self._to("/account")

    async def _login_page(self, http: Request) -> Response:
        visit = await self._visits.read(http)
        return self._visits.dress(self._logins.page(visit), http, visit)

    async def _log_in(self, _: Request, visit: Visit, fields: Fields) -> Response:
        if not csrf.fits(fields.get("csrf", ""), visit.form, login.PURPOSE):
            raise Foreign
        name = fields.get("name", "")
        request = await self._asked(fields)
        try:
            secret = await self._logins.log_in(visit, name, fields.get("password", ""))
        except Refused as refused:
            return self._logins.page(visit, request=request, name=name, refused=refused)
        if request is None:
            return self._visits.log_in(self._to("/account"), secret)
        next_ = await self._asking.next(await self._sessions.find(secret), request)
        if isinstance(next_, Leaves):
            return self._visits.log_in(self._leaving(visit, next_.location, follow=next_.trusted), secret)
        return self._visits.log_in(self._to(f"/authorize?{request.query}"), secret)

    async def _answered(self, _: Request, visit: Visit, fields: Fields) -> Response:
        request = await self._asked(fields)
        if request is None:
            raise Foreign
        if visit.session is None:
            # It ended while the page was open: after the login the same question is asked again.
            return self._to(f"/authorize?{request.query}")
        if not self._consent.fits(visit, request, fields.get("csrf", "")):
            raise Foreign
        if self._asking.stale(visit.session, request):
            return self._to(f"/authorize?{request.query}")
        match fields.get("decision"):
            case "allow":
                # A second click comes here too: the first one's code is never delivered, and ends within a minute.
                return self._leaving(visit, await self._asking.allow(visit.session, request))
            case "decline":
                return self._leaving(visit, self._asking.decline(visit.session, request), follow=request.trusted)
            case _:
                raise Foreign

    async def _account_page(self, http: Request) -> Response:
        visit = await self._visits.read(http)
        found = await self._accounts.find(visit.session.account) if visit.session else None
        if visit.session is None or found is None:
            return self._to("/login")
        page = await self._account.page(visit, found, visit.session, http.query_params.get("done", ""))
        return self._visits.dress(page, http, visit)

    async def _withdraw(self, _: Request, visit: Visit, fields: Fields) -> Response:
        session = self._own(visit, fields)
        if session is None:
            return self._to("/login")
        return self._to(f"/account?done={await self._account.withdraw(session, fields.get('client', ''))}")

    async def _end(self, _: Request, visit: Visit, fields: Fields) -> Response:
        session = self._own(visit, fields)
        if session is None:
            return self._to("/login")
        return self._to(f"/account?done={await self._account.end(visit, session, fields.get('session', ''))}")

    async def _log_out(self, _: Request, visit: Visit, fields: Fields) -> Response:
        if self._own(visit, fields) is not None:
            await self._sessions.end(visit.secret)
        request = await self._asked(fields)  # later: one that is refused by now must not keep anybody signed in
        if request is not None:
            return self._visits.log_out(self._to(f"/authorize?{request.query}"))
        onward = ("again", f"{self._base}/login")
        page = self._pages.message("bye", visit.words, here=onward[1], status=200, onward=onward)
        return self._visits.log_out(page)

    def _own(self, visit: Visit, fields: Fields) -> Session | None:
        """Give the session whose form this is; None when it is over, and then nothing is to be done."""
        if visit.session is not None and not csrf.fits(fields.get("csrf", ""), visit.secret, account.PURPOSE):
            raise Foreign
        return visit.session

    async def _asked(self, fields: Fields) -> AuthorizationRequest | None:
        """Read the request that a form carries, with every check that it had when it came."""
        query = fields.get("query", "")
        return await self._authorizations.read(parse_qsl(query)) if query else None

    def _to(self, path: str) -> Response:
        return RedirectResponse(f"{self._base}{path}", status_code=303, headers=headers.PAGE)

    def _leaving(self, visit: Visit, location: str, *, follow: bool = True) -> Response:
        return self._pages.leaving(visit.words, location, here=f"{self._base}/login", follow=follow)

    def _stale(self, visit: Visit) -> Response:
        onward = ("account", f"{self._base}/account")
        return self._pages.message("stale", visit.words, here=onward[1], status=403, onward=onward)
