"""The consent page."""

from typing import Final

from starlette.responses import Response

from authz_sidecar.oauth import redirects
from authz_sidecar.oauth.authorize import AuthorizationRequest
from authz_sidecar.oauth.client import Origin
from authz_sidecar.oauth.people import csrf
from authz_sidecar.oauth.people.asking import NeedsAnswer
from authz_sidecar.oauth.people.language import Words
from authz_sidecar.oauth.people.pages import Pages, initial, plain
from authz_sidecar.oauth.people.visit import Visit
from authz_sidecar.oauth.settings import Settings

PURPOSE: Final = "consent"


class ConsentPages:
    """Shows who asks for what, where the answer goes, and what to beware of."""

    def __init__(self, *, settings: Settings, pages: Pages) -> None:
        """Take the server's path and the templates."""
        self._base = settings.path
        self._pages = pages

    def page(self, visit: Visit, request: AuthorizationRequest, needs: NeedsAnswer) -> Response:
        """Ask."""
        words, query = visit.words, request.query
        scopes = [one for one in request.resource.scopes if one.name in request.scopes]
        client = plain(request.client.title)
        fresh = [one for one in scopes if one.name not in needs.known]
        more = bool(needs.known and fresh)
        return self._pages.page(
            "consent",
            words,
            title=words("consent.title_more" if more else "consent.title", client=client),
            here=f"{self._base}/authorize?{query}",
            client=client,
            initial=initial(client),
            resource=request.resource,
            scopes=scopes,
            fresh=fresh,
            known=[one for one in scopes if one.name in needs.known],
            warnings=_warnings(request),
            goes_to=_goes_to(words, request),
            vouched=_vouched(words, request),
            person=needs.account.title,
            query=query,
            csrf=csrf.token(visit.secret, PURPOSE, shown(request)),
            logout_csrf=csrf.token(visit.secret, "account"),
        )

    def fits(self, visit: Visit, request: AuthorizationRequest, given: str) -> bool:
        """Say whether an answer is one to this very request, as it was shown to this very session."""
        return csrf.fits(given, visit.secret, PURPOSE, shown(request))


def shown(request: AuthorizationRequest) -> str:
    """Write down what a person decides on; when the client changed its name meanwhile, they are asked again."""
    return repr((request.query, request.client.title, request.redirect_uri, request.resource.uri, request.scopes))


def _warnings(request: AuthorizationRequest) -> list[str]:
    found = ["warn_registered"] if request.client.origin is Origin.REGISTERED else []
    if redirects.on_device(request.redirect_uri):
        found.append("warn_loopback" if request.where.loopback else "warn_device")
    return found


def _goes_to(words: Words, request: AuthorizationRequest) -> str:
    where = request.where
    if where.loopback:
        return words("consent.this_computer", host=where.host)
    return words("consent.app_on_device", host=where.host) if redirects.on_device(request.redirect_uri) else where.host


def _vouched(words: Words, request: AuthorizationRequest) -> str:
    client = request.client
    host = client.id.removeprefix("https://").partition("/")[0]
    return words(f"consent.vouched_{client.origin.value}", host=host, when=words.moment(client.created_at))
