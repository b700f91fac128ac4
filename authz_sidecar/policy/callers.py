"""Makes the caller whom a list of subjects describes, for questions that no token asked."""

import math
from collections.abc import Collection
from typing import Final

from authz_sidecar.errors import BadRequest
from authz_sidecar.model import Principal
from authz_sidecar.policy.findings import quote
from authz_sidecar.rules import PREFIXES

_ALONE: Final = ("user:", "client:", "agent:")
"""Kinds of names of which a token carries one."""

NOBODY = "user:"
"""Stands for the user where none is named: no row can name it, but `user:*` and `*` mean it as well."""


def caller(subjects: Collection[str], scopes: Collection[str] = (), *, issuer: str = "offline") -> Principal:
    """Give the principal that the policy knows by these names; without a user and a client it is nobody's user."""

    def one(prefix: str) -> str | None:
        return next((name for name in subjects if name.startswith(prefix)), None)

    client = one("client:")
    user = one("user:") or (None if client else NOBODY)
    return Principal(
        issuer=issuer,
        subject=(user or "").removeprefix("user:"),
        user=user,
        groups=frozenset(name for name in subjects if name.startswith(("role:", "group:"))),
        client=client,
        agent=one("agent:"),
        scopes=frozenset(scopes),
        expires_at=math.inf,
    )


def described(subjects: Collection[str], scopes: Collection[str] = ()) -> Principal:
    """Give the caller whom a person describes; raises `BadRequest` where the words mean none, or two."""
    for name in subjects:
        if not name.startswith(PREFIXES) or name in PREFIXES:
            bare = name.removesuffix(":")
            raise BadRequest(f"{quote(name)} is no name, write for example `user:{bare}` or `role:{bare}`")
    for prefix in _ALONE:
        alike = [name for name in dict.fromkeys(subjects) if name.startswith(prefix)]
        if len(alike) > 1:
            raise BadRequest(f"{quote(alike[0])} and {quote(alike[1])} are two callers, ask about one")
    return caller(subjects, scopes)
