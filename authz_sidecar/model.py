"""The nouns of a decision: who asks, what for, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NewType

Revision = NewType("Revision", str)
"""Names one immutable policy: `sha256:` and 64 hexadecimal digits."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Reason(StrEnum):
    """Why the answer is what it is; on the wire each has the prefix `REASON_`. Add, never rename."""

    ALLOWED_BY_RULE = "allowed_by_rule"
    CONDITION_ERROR = "condition_error"
    DENIED_BY_RULE = "denied_by_rule"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    METHOD_UNKNOWN = "method_unknown"
    NO_MATCHING_RULE = "no_matching_rule"
    SERVER_UNKNOWN = "server_unknown"
    TOKEN_ALGORITHM_NOT_ALLOWED = "token_algorithm_not_allowed"  # noqa: S105 - a reason, not a secret
    TOKEN_AUDIENCE_MISMATCH = "token_audience_mismatch"  # noqa: S105
    TOKEN_BINDING_MISSING = "token_binding_missing"  # noqa: S105
    TOKEN_CLAIM_MISSING = "token_claim_missing"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_INACTIVE = "token_inactive"  # noqa: S105
    TOKEN_ISSUER_UNKNOWN = "token_issuer_unknown"  # noqa: S105
    TOKEN_KEY_UNKNOWN = "token_key_unknown"  # noqa: S105
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105
    TOKEN_MISSING = "token_missing"  # noqa: S105
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    TOKEN_SIGNATURE_INVALID = "token_signature_invalid"  # noqa: S105
    TOKEN_TYPE_NOT_ALLOWED = "token_type_not_allowed"  # noqa: S105

    @property
    def about_token(self) -> bool:
        """True when the caller was never verified: an enforcement point answers 401, not 403."""
        return self.value.startswith("token_")


class Mode(StrEnum):
    """Whether a no is enforced or only logged, as the operator configured the server."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One MCP server that the sidecar answers for."""

    name: str
    audience: str
    mode: Mode = Mode.ENFORCE
    methods: frozenset[str] = frozenset()
    """Methods of this server beyond those of the MCP specification."""
    audiences: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    """By an issuer's alias: what that issuer calls this server instead, when it cannot say `audience`."""

    def audience_for(self, issuer: str) -> str:
        """Give what a token of this issuer (its alias) must name in `aud`."""
        return self.audiences.get(issuer, self.audience)


@dataclass(frozen=True, slots=True)
class RawToken:
    """A token as it was presented: nothing in it is true yet, and it never prints."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about the caller: may they do `method` on `tool`?"""

    method: str
    tool: str
    arguments: bytes = b""
    """The arguments of the call as received: a JSON object, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One token, one server, and what is asked about them."""

    token: RawToken
    server: str
    questions: tuple[Question, ...]
    context: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    request_id: str = ""
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who acts for another (RFC 8693 section 4.1), in the token's own words."""

    subject: str
    issuer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A verified caller. Only a token verifier makes one.

    `user`, `groups`, `client` and `agent` are names as the policy spells them (`user:alice`, `role:support`,
    `client:cli`, `agent:bot`); `subject`, `client_id` and `actor` are the token's own words.
    """

    issuer: str
    subject: str
    user: str | None
    groups: frozenset[str] = frozenset()
    client: str | None = None
    agent: str | None = None
    client_id: str = ""
    actor: str = ""
    chain: tuple[Actor, ...] = ()
    """Who acted before the current actor, the latest first. It is for the audit trail: no decision looks at it."""
    scopes: frozenset[str] = frozenset()
    token_id: str = ""
    family: str = ""
    """The grant that the token came from, where the issuer's configuration names such a claim."""
    expires_at: float
    """Seconds since the epoch (`exp`)."""
    issued_at: float | None = None
    """Seconds since the epoch (`iat`), when the token says so."""
    claims: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """The claims that the issuer's configuration lists for conditions."""
    development: bool = False
    """True when the issuer's key is marked for development."""

    def __post_init__(self) -> None:
        """Refuse a caller that the policy could not name."""
        if self.user is None and self.client is None:
            raise ValueError("a principal is a user or a client")

    @property
    def caller(self) -> frozenset[str]:
        """The subjects whose rights add up: the user and its groups, or the client of a token without a user."""
        if self.user is not None:
            return self.groups | {self.user}
        return self.groups | {self.client} if self.client is not None else self.groups

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every name under which the policy knows this caller, sorted."""
        names = set(self.groups)
        names.update(name for name in (self.user, self.client, self.agent) if name is not None)
        return tuple(sorted(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRef:
    """A row of a policy file, for people to find it."""

    source: str
    line: int
    text: str
    allow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An answer and why. It is true only when it allows."""

    allowed: bool
    reason: Reason
    rules: tuple[RuleRef, ...] = ()
    required_scopes: tuple[str, ...] = ()
    detail: str = ""
    """Which conditions could not be evaluated, and why; for our logs only."""

    def __post_init__(self) -> None:
        """Refuse an impossible answer."""
        if self.allowed is not (self.reason is Reason.ALLOWED_BY_RULE):
            raise ValueError(f"allowed={self.allowed} cannot have the reason {self.reason}")

    def __bool__(self) -> bool:
        """Answer for `if decision:`; a plain dataclass would always be true."""
        return self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """What a policy that is only tried out would answer to the same questions, in their order. Never enforced."""

    revision: Revision
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The decisions on a query, in the order of its questions, by one policy revision."""

    decisions: tuple[Decision, ...]
    decision_id: str
    revision: Revision
    server: str
    mode: Mode = Mode.ENFORCE
    principal: Principal | None = None
    shadow: Shadowed | None = None
    """None when no policy is tried out beside this one, or when it answers alike."""

    def __bool__(self) -> bool:
        """True when everything that was asked is allowed."""
        return bool(self.decisions) and all(self.decisions)


PUBLIC_MESSAGES: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.ALLOWED_BY_RULE: "allowed",
        Reason.CONDITION_ERROR: "not permitted",
        Reason.DENIED_BY_RULE: "not permitted",
        Reason.INSUFFICIENT_SCOPE: "the access token lacks a scope that this needs",
        Reason.METHOD_UNKNOWN: "this method is not supported here",
        Reason.NO_MATCHING_RULE: "not permitted",
        Reason.SERVER_UNKNOWN: "no such server is configured",
        Reason.TOKEN_MISSING: "an access token is needed",
    }
)
"""What a caller may read. All token failures read alike, so that nobody can probe the verifier."""


def public_message(reason: Reason) -> str:
    """Give the sentence that a caller may see."""
    return PUBLIC_MESSAGES.get(reason, "the access token was not accepted")
