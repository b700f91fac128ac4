"""Makes the caller whom a list of subjects describes, for questions that no token asked."""

import math
from collections.abc import Collection

from authz_sidecar.model import Principal

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
