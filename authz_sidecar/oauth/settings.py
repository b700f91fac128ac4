"""What the authorization server is told: its name, the resources it guards, and how long things live."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

_NO_WORDS: Final[Mapping[str, str]] = MappingProxyType({})

OFFLINE: Final = "offline_access"
"""Asked for by clients that want a refresh token; every client that may refresh gets one, so it grants nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One scope of a resource, and what it means in words."""

    name: str
    words: Mapping[str, str] = field(default_factory=lambda: _NO_WORDS, hash=False)
    """By language (`en`, `ko`): what a person reads on the consent page. Without any, the name itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One protected resource (RFC 8707): what its tokens name in `aud`."""

    uri: str
    name: str = ""
    """What people call it; default: its URI."""
    scopes: tuple[Scope, ...] = ()

    @property
    def title(self) -> str:
        """What a person reads."""
        return self.name or self.uri

    @property
    def scope_names(self) -> tuple[str, ...]:
        """Every scope that may be granted here, in the operator's order."""
        return tuple(scope.name for scope in self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole of it; all durations in seconds."""

    issuer: str
    """Exact, without a trailing slash; it may have a path."""
    mount: str | None = None
    """Where our own pages and endpoints lie, for another server whose name is the issuer; default: its path."""
    resources: tuple[Resource, ...]
    code_seconds: int = 60
    access_seconds: int = 600
    refresh_seconds: int = 14 * 86_400
    """How long a refresh token lies unused before it ends."""
    grant_seconds: int = 90 * 86_400
    """How long a grant lives, however often it is refreshed."""
    registration: bool = True
    """Whether clients may register themselves (RFC 7591)."""
    registration_seconds: int = 90 * 86_400
    """How long a client that registered itself lives after it was last used."""
    registrations_per_hour: int = 60
    """From one address."""
    max_clients: int = 10_000
    """Clients that registered themselves, at most."""
    client_documents: bool = True
    """Whether a URL may be a client id (client ID metadata documents)."""
    development: bool = False
    """Plain http on the loopback, and seeded accounts."""

    def __post_init__(self) -> None:
        """Refuse what no client could compare."""
        if self.issuer.endswith("/") or "?" in self.issuer or "#" in self.issuer:
            raise ValueError("the issuer has no trailing slash, query or fragment")
        if not self.resources:
            raise ValueError("an authorization server needs a resource to issue tokens for")

    @property
    def origin(self) -> str:
        """Scheme and authority of the issuer."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        """The path that all our endpoints begin with; empty for none."""
        return urlsplit(self.issuer).path if self.mount is None else self.mount

    @property
    def secure(self) -> bool:
        """True behind https: cookies are `__Host-` and `Secure`. Plain http is for the loopback alone."""
        return self.issuer.startswith("https://")

    def endpoint(self, name: str) -> str:
        """Give the URL of an endpoint."""
        return f"{self.origin}{self.path}/{name}"

    def resource(self, uri: str) -> Resource | None:
        """Find a resource as clients spell it: scheme and host in any case, with or without a lone slash."""
        wanted = canonical(uri)
        return next((one for one in self.resources if canonical(one.uri) == wanted), None)


def canonical(uri: str) -> str:
    """Spell a resource in one way (RFC 3986 section 6.2.2.1); what is no URI stays as it is."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    path = "" if parts.path == "/" else parts.path
    rest = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{path}{rest}" if parts.netloc else uri
