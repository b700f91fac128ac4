"""A client: who it says it is, where it may be sent back to, and how it proves who it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Origin(StrEnum):
    """Who vouches for a client. Add, never rename."""

    CONFIGURED = "configured"
    """The operator."""
    DOCUMENT = "document"
    """The host that its id names: it was fetched from there (client ID metadata document)."""
    REGISTERED = "registered"
    """Nobody: it registered itself (RFC 7591)."""


class Proof(StrEnum):
    """How a client authenticates at the token endpoint; the words are those of RFC 7591 section 2."""

    BASIC = "client_secret_basic"
    NONE = "none"
    POST = "client_secret_post"
    PRIVATE_KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client that may be used now: neither disabled nor ended."""

    id: str
    origin: Origin
    name: str = ""
    uri: str = ""
    proof: Proof = Proof.NONE
    secret_hash: str = field(default="", repr=False)
    redirect_uris: tuple[str, ...] = ()
    grant_types: frozenset[str] = frozenset({"authorization_code", "refresh_token"})
    scope: tuple[str, ...] = ()
    """What the operator lets it ask for; empty for everything that the resource has. A client that registered itself
    is never held to what it named then, or it could not step up."""
    jwks: tuple[Mapping[str, object], ...] = ()
    jwks_uri: str = ""
    """Where its keys are, when it does not give them itself."""
    metadata: Mapping[str, object] = field(default_factory=lambda: _NOTHING, repr=False, hash=False)
    """What else it said about itself when it registered; believed by nobody."""
    created_at: float = 0.0
    expires_at: float | None = None

    @property
    def title(self) -> str:
        """What a person reads; the id when it gives no name."""
        return self.name or self.id

    @property
    def public(self) -> bool:
        """True when it cannot prove who it is."""
        return self.proof is Proof.NONE
