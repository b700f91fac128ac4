"""The account page: what apps may do, and where somebody is signed in; each can be ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import structlog
from starlette.responses import Response

from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.people import csrf
from authz_sidecar.oauth.people.accounts import Account
from authz_sidecar.oauth.people.consents import Asked, Consent, Consents
from authz_sidecar.oauth.people.language import Words
from authz_sidecar.oauth.people.pages import Pages, initial, plain
from authz_sidecar.oauth.people.sessions import Session, Sessions
from authz_sidecar.oauth.people.visit import Visit
from authz_sidecar.oauth.settings import Settings

_log: Final = structlog.stdlib.get_logger("authz_sidecar.oauth")
PURPOSE: Final = "account"
DONE: Final = ("withdrawn", "ended", "others")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What an app may do at one resource."""

    resource: str
    scopes: tuple[str, ...]
    """In words."""
    created_at: float
    used_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A client that somebody agreed to."""

    client_id: str
    title: str
    initial: str
    uses: tuple[Use, ...]


class AccountPages:
    """Shows and ends."""

    def __init__(
        self, *, settings: Settings, pages: Pages, sessions: Sessions, consents: Consents, grants: Grants
    ) -> None:
        """Take what is shown and what is ended."""
        self._settings = settings
        self._pages = pages
        self._sessions = sessions
        self._consents = consents
        self._grants = grants

    async def page(self, visit: Visit, account: Account, session: Session, done: str) -> Response:
        """Show the page; `done` is what was just done, for its first line."""
        return self._pages.page(
            "account",
            visit.words,
            title=visit.words("account.title"),
            here=f"{self._settings.path}/account",
            person=account.title,
            apps=self._apps(visit.words, await self._all(account.name)),
            sessions=await self._sessions.of(account.name),
            current=session.id,
            done=done if done in DONE else "",
            csrf=csrf.token(visit.secret, PURPOSE),
        )

    async def withdraw(self, session: Session, client_id: str) -> str:
        """Forget what was agreed to with a client, and revoke every grant of it; the sidecars are told."""
        # Forgotten first: a grant that is asked for in between has to be agreed to again.
        await self._consents.forget(session.account, client_id)
        revoked = await self._grants.revoke_all(session.account, "withdrawn", client_id=client_id)
        _log.info("consent_withdrawn", account=session.account, client=client_id, grants=revoked)
        return "withdrawn"

    async def end(self, visit: Visit, session: Session, name: str) -> str:
        """End one other session, or all others when no name is given."""
        if name:
            await self._sessions.end_one(session.account, name)
            return "ended"
        await self._sessions.end_others(session.account, visit.secret)
        return "others"

    async def _all(self, account: str) -> list[Consent]:
        """Give the consents, and the grants that came about without one: nothing that has access is left out."""
        found = list(await self._consents.of(account))
        known = {(one.asked.client_id, one.asked.resource) for one in found}
        for grant in await self._grants.of(account):
            if (grant.client_id, grant.resource) not in known:
                asked = Asked(account=account, client_id=grant.client_id, resource=grant.resource, place="")
                times = {"created_at": grant.created_at, "used_at": grant.used_at}
                found.append(Consent(asked=asked, client_name=grant.client_name, scopes=grant.scopes, **times))
        return found

    def _apps(self, words: Words, found: Iterable[Consent]) -> list[App]:
        by_client = sorted(found, key=lambda one: one.asked.client_id)
        apps = []
        for client_id, group in groupby(by_client, key=lambda one: one.asked.client_id):
            consents = list(group)
            title = plain(consents[0].client_name)
            uses = tuple(self._use(words, one) for one in consents)
            apps.append(App(client_id=client_id, title=title, initial=initial(title), uses=uses))
        return sorted(apps, key=lambda one: (one.title.casefold(), one.client_id))

    def _use(self, words: Words, consent: Consent) -> Use:
        resource = self._settings.resource(consent.asked.resource)
        known = {one.name: one.words for one in resource.scopes} if resource else {}
        order = [*(name for name in known if name in consent.scopes), *(set(consent.scopes) - known.keys())]
        return Use(
            resource=resource.title if resource else consent.asked.resource,
            scopes=tuple(words.described(known.get(name, {}), name) for name in order),
            created_at=consent.created_at,
            used_at=consent.used_at,
        )
