"""The nouns of revocation: what is revoked, and what is remembered of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from authz_sidecar.errors import BadRequest

LONGEST_VALUE: Final = 1_024
LONGEST_NOTE: Final = 256


class Kind(StrEnum):
    """What a revocation names; on the wire each has the prefix `REVOCATION_KIND_`. Add, never rename."""

    CLIENT = "client"
    FAMILY = "family"
    ISSUER = "issuer"
    SUBJECT = "subject"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret


_NAMES: Final = {Kind.CLIENT: "client", Kind.FAMILY: "family", Kind.SUBJECT: "subject", Kind.TOKEN: "token id"}
_IN_TIME: Final = frozenset({Kind.CLIENT, Kind.ISSUER, Kind.SUBJECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Tokens of one issuer that count no longer. Raises `BadRequest` for what means no token, or too many."""

    issuer: str
    """`iss`, byte for byte: a subject is somebody only together with it."""
    kind: Kind
    value: str = ""
    """The `jti`, `sub`, client or grant family; empty for the whole issuer."""
    issued_before: float | None = None
    """Only tokens whose `iat` lies before this moment (seconds since the epoch), or who do not tell theirs."""
    ends: float | None = None
    """When the last token that is meant will have ended (`exp`), if that is known."""
    reason: str = ""
    by: str = ""
    """Who did it, for people."""

    def __post_init__(self) -> None:
        """Refuse what means no token, or too many."""
        if not self.issuer:
            raise BadRequest("a revocation needs an issuer: a subject is somebody only together with it")
        if self.kind is Kind.ISSUER and (self.value or self.issued_before is None):
            raise BadRequest("a whole issuer is revoked up to a moment: give `issued_before` and no name")
        if self.kind is not Kind.ISSUER and not 0 < len(self.value) <= LONGEST_VALUE:
            raise BadRequest(f"the {_NAMES[self.kind]} has {len(self.value)} characters, expected 1 to {LONGEST_VALUE}")
        if self.issued_before is not None and self.kind not in _IN_TIME:
            raise BadRequest("`issued_before` goes with a subject, a client or a whole issuer")
        for name, text in (("reason", self.reason), ("by", self.by)):
            if len(text) > LONGEST_NOTE or not text.isprintable():
                raise BadRequest(f"`{name}` must be printable text of at most {LONGEST_NOTE} characters")

    def __str__(self) -> str:
        """Say it to a person."""
        named = f"{_NAMES[self.kind]} `{self.value}` of " if self.value else ""
        return f"{named}{self.issuer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A revocation in force; times in seconds since the epoch."""

    id: str
    """Its name in every sidecar."""
    epoch: int
    """Its number in this sidecar: 1 for the first that it ever heard of."""
    revocation: Revocation
    at: float
    keep_until: float
    """When it may be forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a revocation: it is in force here, and a restart will not lose it."""

    kept: Kept
    pending: bool = False
    """True while the other sidecars do not know, because the shared store could not be reached; they will."""
