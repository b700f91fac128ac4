"""The nouns of a grant: what was agreed to, and what was made of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One agreement; times in seconds since the epoch."""

    id: str
    client_id: str
    client_name: str
    subject: str
    resource: str
    scopes: tuple[str, ...]
    auth_time: float
    created_at: float
    used_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """A code with what it is bound to, which has still to be compared."""

    grant: Grant
    redirect_uri: str
    redirect_given: bool
    challenge: str
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What a code was worth."""

    grant: Grant
    refresh_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A refresh token that may be spent, as it lies in the database."""

    grant: Grant
    scopes: tuple[str, ...]
