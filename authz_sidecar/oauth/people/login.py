"""The login page."""

from math import ceil
from typing import Final

import structlog
from starlette.responses import Response

from authz_sidecar.oauth.authorize import AuthorizationRequest
from authz_sidecar.oauth.people import csrf
from authz_sidecar.oauth.people.accounts import Account, Accounts, is_name, known_as
from authz_sidecar.oauth.people.asking import after_login
from authz_sidecar.oauth.people.pages import Pages, plain
from authz_sidecar.oauth.people.passwords import Busy, Passwords
from authz_sidecar.oauth.people.sessions import Sessions
from authz_sidecar.oauth.people.throttle import Throttle
from authz_sidecar.oauth.people.visit import Visit
from authz_sidecar.oauth.settings import Settings

PURPOSE: Final = "login"

_log: Final = structlog.stdlib.get_logger("authz_sidecar.oauth")


class Refused(Exception):
    """Nobody was let in; the page says why, and the same for everybody whether they exist or not."""

    def __init__(self, key: str, status: int, wait: float = 0) -> None:
        """Take the sentence, the status and the seconds to wait."""
        super().__init__(key)
        self.key, self.status, self.wait = key, status, ceil(wait)


class Logins:
    """Asks for a name and a password."""

    def __init__(
        self,
        *,
        settings: Settings,
        pages: Pages,
        accounts: Accounts,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
    ) -> None:
        """Take who there is, how passwords are compared, and how fast somebody may guess."""
        self._base = settings.path
        self._pages = pages
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle

    def page(
        self,
        visit: Visit,
        *,
        request: AuthorizationRequest | None = None,
        again: bool = False,
        name: str = "",
        refused: Refused | None = None,
    ) -> Response:
        """Show the form; with a request, the login goes on to it."""
        words, query = visit.words, after_login(request.query) if request else ""
        problem = words(f"login.{refused.key}", seconds=refused.wait) if refused else ""
        page = self._pages.page(
            "login",
            words,
            title=words("login.title"),
            here=f"{self._base}/authorize?{request.query}" if request else f"{self._base}/login",
            status=refused.status if refused else 200,
            csrf=csrf.token(visit.form, PURPOSE),
            query=query,
            client=plain(request.client.title) if request else "",
            again=again,
            name=name or _hinted(request),
            problem=problem,
        )
        if refused and refused.wait:
            page.headers["retry-after"] = str(refused.wait)
        return page

    async def log_in(self, visit: Visit, name: str, password: str) -> str:
        """Compare, and give the secret of a new session; raises `Refused`."""
        account = await self._prove(known_as(name), password, visit.address)
        return await self._sessions.begin(account.name, browser=visit.browser, instead_of=visit.secret)

    async def _prove(self, name: str, password: str, address: str) -> Account:
        if wait := self._throttle.take(name, address):
            raise Refused("slow", 429, wait)
        lock = await self._accounts.lock(name)
        try:
            # Compared for those who do not exist and those who are disabled too: all take as long (enumeration).
            checked = await self._passwords.check(lock.hash if lock else None, password)
        except Busy:
            self._throttle.give_back(name, address)
            raise Refused("busy", 503) from None
        if lock is None or not checked or lock.account.disabled:
            # A name that nobody has may be a password in the wrong field, so it is not written down.
            _log.warning("login_refused", account=lock.account.name if lock else None, address=address)
            raise Refused("wrong", 422)
        self._throttle.give_back(name, address)
        _log.info("login", account=name, address=address)
        if checked.rehashed:
            await self._accounts.rehash(name, lock.hash, checked.rehashed)
        return lock.account


def _hinted(request: AuthorizationRequest | None) -> str:
    """Fill in what a client hints at when it could be a name; other words of a stranger have no place in a field."""
    hint = known_as(request.login_hint) if request else ""
    return hint if is_name(hint) else ""
