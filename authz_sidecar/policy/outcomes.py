"""What can become of an edit, and the state of the store that took it."""

from dataclasses import dataclass
from enum import StrEnum

from authz_sidecar.errors import Problem
from authz_sidecar.model import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The files are live."""

    revision: Revision
    previous: Revision | None
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """The files decide as what was live already."""

    revision: Revision
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The files have problems, and what was live stays."""

    revision: Revision | None
    """In force; None when nothing is, and nobody is let through."""
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsConfirmation:
    """The files are sound but lose most of the policy; what was live stays until the edit is confirmed."""

    revision: Revision | None
    """In force."""
    candidate: Revision
    problems: tuple[Problem, ...]
    """What would be lost."""
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """Nothing was loaded, but a grant of the policy in force has ended or soon will."""

    revision: Revision
    """In force."""
    warnings: tuple[Problem, ...]


Outcome = Applied | Unchanged | Refused | NeedsConfirmation
"""What becomes of a load."""

Told = Outcome | Reminded
"""What a store tells."""


class Origin(StrEnum):
    """Where the policy in force came from."""

    FILES = "files"
    LAST_GOOD = "last-good"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """What is in force, and what is wrong with the files on disk."""

    revision: Revision | None = None
    """None before the first policy."""
    loaded_at: float | None = None
    """When it went live, in seconds since the epoch."""
    origin: Origin = Origin.FILES
    stale: bool = False
    """True while the files on disk are not what answers."""
    problems: tuple[Problem, ...] = ()
    """Why the files on disk are not what answers; empty when not stale."""
    warnings: tuple[Problem, ...] = ()
    """What is odd about the policy in force."""
    rules: int = 0
    memberships: int = 0
    confirmation_needed: bool = False
