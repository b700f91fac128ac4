"""What is known about one token while it is examined."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from authz_sidecar.model import Principal, Server
from authz_sidecar.tokens.header import Header
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.keyset import Key


@dataclass(slots=True, kw_only=True, repr=False, eq=False)
class Case:
    """One token under examination. The fields without a value are filled by the steps, in their order.

    INVARIANT: nothing in `header` and `claims` is true before the step `signature` has passed.
    """

    text: str
    server: Server | None
    """Whose audience the token must name; None only when a token is explained."""
    issuers: Mapping[str, Issuer]
    """By their exact `iss`."""
    now: float
    max_bytes: int

    signed: bytes = field(init=False)
    payload: bytes = field(init=False)
    signature: bytes = field(init=False)
    header: Header = field(init=False)
    claims: dict[str, object] = field(init=False)
    issuer: Issuer = field(init=False)
    key: Key = field(init=False)
    expires_at: float = field(init=False)
    not_before: float = field(init=False)
    """The later of `nbf` and `iat`; 0 when there is neither."""
    principal: Principal = field(init=False)
