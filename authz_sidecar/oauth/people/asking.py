"""Decides what an authorization request still needs of a person: a login, an answer, or nothing."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

import structlog

from authz_sidecar.oauth import redirects
from authz_sidecar.oauth.authorize import AuthorizationRequest, Authorizations
from authz_sidecar.oauth.client import Origin
from authz_sidecar.oauth.errors import ConsentRequired, LoginRequired, OAuthError
from authz_sidecar.oauth.people.accounts import Account, Accounts
from authz_sidecar.oauth.people.consents import Asked, Consents
from authz_sidecar.oauth.people.sessions import Session
from authz_sidecar.ports import Clock

_log: Final = structlog.stdlib.get_logger("authz_sidecar.oauth")
_LOGIN: Final = frozenset({"login", "select_account"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsLogin:
    """Nobody is logged in, or not recently enough."""

    again: bool
    """True when somebody is, but has to prove it once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsAnswer:
    """The person has to be asked."""

    account: Account
    session: Session
    asked: Asked
    known: frozenset[str]
    """The scopes of the request that were agreed to before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Nothing more is needed: this URL takes the answer to the client."""

    location: str
    trusted: bool = True
    """Whether the browser may follow it unasked."""


Next = NeedsLogin | NeedsAnswer | Leaves


class Asking:
    """Knows who agreed to what."""

    def __init__(self, *, authorizations: Authorizations, accounts: Accounts, consents: Consents, clock: Clock) -> None:
        """Take the core's answers, who there is, what they agreed to, and a clock in seconds since the epoch."""
        self._authorizations = authorizations
        self._accounts = accounts
        self._consents = consents
        self._clock = clock

    async def next(self, session: Session | None, request: AuthorizationRequest) -> Next:
        """Say what is needed; a remembered answer is given at once."""
        silent = "none" in request.prompt
        account = await self._accounts.find(session.account) if session else None
        if session is None or account is None or self.stale(session, request):
            if silent:
                return self._silent_no(request, LoginRequired("nobody is logged in"))
            return NeedsLogin(again=session is not None)
        asked = about(account, request)
        known = await self._consents.scopes(asked)
        remembered = known is not None and known >= set(request.scopes) and "consent" not in request.prompt
        if remembered and not _impersonable(request):
            return Leaves(location=await self.allow(session, request))
        if silent:
            return self._silent_no(request, ConsentRequired("the person has to be asked"))
        return NeedsAnswer(
            account=account, session=session, asked=asked, known=(known or frozenset()) & set(request.scopes)
        )

    def _silent_no(self, request: AuthorizationRequest, error: OAuthError) -> Leaves:
        return Leaves(location=self._authorizations.refuse(request, error), trusted=request.trusted)

    async def allow(self, session: Session, request: AuthorizationRequest) -> str:
        """Remember the yes, and give the URL that takes a code to the client."""
        account = await self._accounts.find(session.account)
        assert account is not None  # noqa: S101 - a session has an account, which is never deleted
        await self._consents.remember(about(account, request), request.scopes, client_name=request.client.title)
        _log.info("consent", **_named(session, request))
        return await self._authorizations.issue_code(request, account.name, request.scopes, auth_time=session.auth_time)

    def decline(self, session: Session, request: AuthorizationRequest) -> str:
        """Give the URL that tells the client no."""
        _log.info("consent_declined", **_named(session, request))
        return self._authorizations.refuse(request)

    def stale(self, session: Session, request: AuthorizationRequest) -> bool:
        """Say whether the client wants a login that is newer than this one (OpenID Connect Core section 3.1.2.1)."""
        age = self._clock() - session.auth_time
        return bool(request.prompt & _LOGIN) or (request.max_age is not None and age > request.max_age)


def about(account: Account, request: AuthorizationRequest) -> Asked:
    """Name the question that a request puts."""
    where = request.where
    place = "loopback:" if where.loopback else where.host  # the port of a program on the computer differs each time
    return Asked(account=account.name, client_id=request.client.id, resource=request.resource.uri, place=place)


def after_login(query: str) -> str:
    """Take out of a request what a login has satisfied, or it would ask for one for ever."""
    kept = []
    for name, value in parse_qsl(query):
        if name == "prompt":
            words = " ".join(word for word in value.split() if word not in _LOGIN)
            kept += [(name, words)] if words else []
        elif name != "max_age":
            kept.append((name, value))
    return urlencode(kept)


def _named(session: Session, request: AuthorizationRequest) -> dict[str, object]:
    return {
        "account": session.account,
        "client": request.client.id,
        "resource": request.resource.uri,
        "scopes": request.scopes,
    }


def _impersonable(request: AuthorizationRequest) -> bool:
    """Say whether another program could come with this client's id and get the answer (RFC 8252 section 8.6).

    A client that registered itself has an id that no other installation knows; all others of a kind share one.
    """
    return (
        redirects.on_device(request.redirect_uri)
        and request.client.public
        and request.client.origin is not Origin.REGISTERED
    )
