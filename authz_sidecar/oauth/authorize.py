"""The authorization request (RFC 6749 section 4.1.1): read, then answered with a code or a refusal."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlencode

from authz_sidecar.oauth import pkce, redirects
from authz_sidecar.oauth.client import Client, Origin
from authz_sidecar.oauth.errors import (
    AccessDenied,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    OAuthError,
    RequestRefused,
    UnauthorizedClient,
    UnsafeRequest,
    UnsupportedResponseType,
)
from authz_sidecar.oauth.settings import OFFLINE, Resource, Settings

_KNOWN: Final = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "resource", "code_challenge",
    "code_challenge_method", "response_mode", "prompt", "max_age", "login_hint", "ui_locales", "nonce", "request",
    "request_uri",
)  # fmt: skip
_LONGEST: Final = 2_048
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 section 3.3
_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client asks a person for. Only `Authorizations.read` makes one, so everything in it was checked."""

    client: Client
    redirect_uri: str
    redirect_given: bool
    """Whether the request named it; the token request must then name it too."""
    resource: Resource
    scopes: tuple[str, ...]
    """Each exists at the resource; in the operator's order, each once."""
    state: str | None
    code_challenge: str
    prompt: frozenset[str] = frozenset()
    """Of `none`, `login`, `consent`, `select_account` (OpenID Connect Core section 3.1.2.1)."""
    max_age: int | None = None
    """Seconds since the person last logged in, at most."""
    login_hint: str = ""
    ui_locales: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    """What is known of the request, as it came: `read` gives the same for it as long as the client stays the same."""

    @property
    def query(self) -> str:
        """Spell it as a query string, to go on with it after a login."""
        return urlencode(self.parameters)

    @property
    def where(self) -> redirects.Where:
        """Say where the answer goes, for people."""
        return redirects.where(self.redirect_uri)

    @property
    def trusted(self) -> bool:
        """Say whether a browser may be sent there with a no, unasked."""
        return _trusted(self.client, self.redirect_uri)


class Clients(Protocol):
    """Knows the clients."""

    async def find(self, client_id: str) -> Client | None:
        """Give a client that may be used now; None for one that nobody knows, or that is disabled or ended."""
        ...


class Codes(Protocol):
    """Keeps what people granted."""

    async def start(self, request: AuthorizationRequest, *, subject: str, scopes: Iterable[str], at: float) -> str:
        """Write down a grant, and give its authorization code; only its hash is kept."""
        ...


class Authorizations:
    """Reads authorization requests and writes their answers."""

    def __init__(self, *, settings: Settings, clients: Clients, codes: Codes) -> None:
        """Take who knows the clients, and who keeps the grants."""
        self._settings = settings
        self._clients = clients
        self._codes = codes

    async def read(self, parameters: Iterable[tuple[str, str]]) -> AuthorizationRequest:
        """Check a request, from a query or a form.

        Raises `UnsafeRequest` when nobody knows where to send an answer (show a page, never redirect), and
        `RequestRefused` with the URL to redirect to for everything else.
        """
        pairs = [(name, value) for name, value in parameters if name in _KNOWN and value]
        client, redirect_uri = await self._target(pairs)
        given = dict(pairs)
        state = given.get("state")
        try:
            _check_shape(pairs)
            if "authorization_code" not in client.grant_types:
                raise UnauthorizedClient("this client may not ask people")
            resource = self._resource(pairs)
            return AuthorizationRequest(
                client=client,
                redirect_uri=redirect_uri,
                redirect_given="redirect_uri" in given,
                resource=resource,
                scopes=allowed(given.get("scope", ""), client, resource),
                state=state,
                code_challenge=_challenge(given),
                prompt=_prompt(given.get("prompt", "")),
                max_age=_max_age(given.get("max_age")),
                login_hint=given.get("login_hint", "")[:255],
                ui_locales=tuple(given.get("ui_locales", "").split()[:8]),
                parameters=tuple(pairs),
            )
        except OAuthError as error:
            # A repeated `state` has no value that could be sent back.
            told = None if _repeated(pairs, "state") else state
            location = self._answer(redirect_uri, told, _told(error))
            raise RequestRefused(location, error, trusted=_trusted(client, redirect_uri)) from None

    async def issue_code(
        self, request: AuthorizationRequest, subject: str, scopes: Iterable[str], *, auth_time: float
    ) -> str:
        """Write down what a person granted, and give the URL that takes the code to the client.

        `scopes` are those that the person agreed to, of those that were asked for; `auth_time` is when they logged in.
        Raises `ValueError` for none, or for more than was asked.
        """
        granted = tuple(scope for scope in request.scopes if scope in set(scopes))
        if set(scopes) - set(granted) or (request.scopes and not granted):
            raise ValueError("a grant holds scopes that were asked for, at least one")
        code = await self._codes.start(request, subject=subject, scopes=granted, at=auth_time)
        return self._answer(request.redirect_uri, request.state, {"code": code})

    def refuse(self, request: AuthorizationRequest, error: OAuthError | None = None) -> str:
        """Give the URL that tells the client no; without an error, that the person declined."""
        refusal = error or AccessDenied("the request was declined")
        return self._answer(request.redirect_uri, request.state, _told(refusal))

    async def _target(self, pairs: list[tuple[str, str]]) -> tuple[Client, str]:
        given = dict(pairs)
        for name in ("client_id", "redirect_uri"):
            # Two readers would send the answer to two places.
            if _repeated(pairs, name):
                raise UnsafeRequest(f"`{name}` is there more than once", word="repeated")
        client_id, asked = given.get("client_id", ""), given.get("redirect_uri")
        if not client_id:
            raise UnsafeRequest("`client_id` is missing", word="client_missing")
        client = await self._clients.find(client_id) if len(client_id) <= _LONGEST else None
        if client is None:
            raise UnsafeRequest("no such client is known here; it may have to register again", word="client_unknown")
        redirect_uri = redirects.chosen(asked, client.redirect_uris)
        if redirect_uri is None:
            raise UnsafeRequest("the redirect URI is not one that the client has registered", word="redirect")
        return client, redirect_uri

    def _resource(self, pairs: list[tuple[str, str]]) -> Resource:
        return target(self._settings, [value for name, value in pairs if name == "resource"])

    def _answer(self, redirect_uri: str, state: str | None, answer: Mapping[str, str]) -> str:
        # RFC 9207: without `iss`, a client of several servers can be tricked into handing our code to another.
        told = dict(answer) | ({} if state is None else {"state": state}) | {"iss": self._settings.issuer}
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(told)}"


def target(settings: Settings, asked: list[str]) -> Resource:
    """Find the resource that a request names (RFC 8707), or raise `InvalidTarget`.

    One that is left out means the only one there is; a token is for one resource alone.
    """
    if len(set(asked)) > 1:
        raise InvalidTarget("a token is issued for one resource; ask for each on its own")
    if not asked:
        if len(settings.resources) == 1:
            return settings.resources[0]
        raise InvalidTarget("`resource` is missing, and there is more than one here")
    resource = settings.resource(asked[0]) if len(asked[0]) <= _LONGEST else None
    if resource is None:
        raise InvalidTarget("no such resource is served here")
    return resource


def words(scope: str) -> tuple[str, ...]:
    """Read a `scope` parameter (RFC 6749 section 3.3): each word once, or raise `InvalidScope`."""
    if scope and (len(scope) > _LONGEST or not _SCOPE.fullmatch(scope)):
        raise InvalidScope("`scope` is not a list of words with one space between")
    return tuple(dict.fromkeys(scope.split()))


def allowed(asked: str, client: Client, resource: Resource) -> tuple[str, ...]:
    """Give the scopes of a `scope` parameter, or all that a client may have for none; raises `InvalidScope`."""
    wanted = set(words(asked)) - {OFFLINE}
    known = [name for name in resource.scope_names if not client.scope or name in client.scope]
    if wanted - set(known):
        raise InvalidScope("a scope that was asked for does not exist at this resource, or is not for this client")
    return tuple(name for name in known if name in wanted or not wanted)


def _trusted(client: Client, redirect_uri: str) -> bool:
    """RFC 9700 section 4.11.2: the website of a stranger could be a trap, and we the link to it that people trust.

    A client that the operator added has none, and a program on the person's own device is no website.
    """
    return client.origin is Origin.CONFIGURED or redirects.on_device(redirect_uri)


def _check_shape(pairs: list[tuple[str, str]]) -> None:
    given = dict(pairs)
    for name, value in pairs:
        if name != "resource" and _repeated(pairs, name):
            raise InvalidRequest(f"{name} is there more than once")  # RFC 6749 section 3.1
        if len(value) > _LONGEST:
            raise InvalidRequest(f"{name} is longer than {_LONGEST} characters")
    if "request" in given or "request_uri" in given:
        raise InvalidRequest("request objects are not supported")
    if "response_type" not in given:
        raise InvalidRequest("response_type is missing")
    if given["response_type"] != "code":
        raise UnsupportedResponseType("response_type must be code")
    if given.get("response_mode", "query") != "query":
        raise InvalidRequest("response_mode must be query")


def _challenge(given: Mapping[str, str]) -> str:
    challenge = given.get("code_challenge", "")
    if not challenge:
        raise InvalidRequest("code_challenge is missing: PKCE with S256 is needed")
    # RFC 7636 section 4.3: one that is left out would mean `plain`.
    if given.get("code_challenge_method") != "S256":
        raise InvalidRequest("code_challenge_method must be S256")
    if not pkce.is_challenge(challenge):
        raise InvalidRequest("code_challenge is not an S256 challenge")
    return challenge


def _prompt(asked: str) -> frozenset[str]:
    found = frozenset(asked.split())
    if found - _PROMPTS or ("none" in found and len(found) > 1):
        raise InvalidRequest("prompt is not none, or some of login, consent and select_account")
    return found


def _max_age(asked: str | None) -> int | None:
    if asked is None:
        return None
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
        raise InvalidRequest("max_age is not a number of seconds")
    return int(asked)


def _repeated(pairs: list[tuple[str, str]], name: str) -> bool:
    return sum(1 for other, _ in pairs if other == name) > 1


def _told(error: OAuthError) -> dict[str, str]:
    return {"error": error.code, "error_description": error.hint}
