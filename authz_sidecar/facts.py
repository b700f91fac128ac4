"""What the conditions of one question may look at; nothing is read before a condition asks for it."""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar, cast

from authz_sidecar.model import NOTHING

_T = TypeVar("_T")

_NO_CLAIMS: Mapping[str, object] = {}


class Facts:
    """The arguments, the caller's listed claims, what the enforcement point vouches for, and the time.

    Belongs to one question and is used by one task.
    """

    __slots__ = ("_made", "arguments", "claims", "context", "now")

    def __init__(
        self,
        *,
        arguments: bytes = b"",
        claims: Mapping[str, object] = _NO_CLAIMS,
        context: Mapping[str, str] = NOTHING,
        now: float | None = None,
    ) -> None:
        """Take what there is; `now` is in seconds since the epoch, and None where nobody knows the time."""
        self.arguments = arguments
        self.claims = claims
        self.context = context
        self.now = now
        self._made: dict[Hashable, object] = {}

    def once(self, key: Hashable, make: Callable[["Facts"], _T]) -> _T:
        """Make something of the facts when it is first asked for, and give the same from then on.

        INVARIANT: a key stands for one `make`. When it raises, it is asked again the next time.
        """
        if key not in self._made:
            self._made[key] = make(self)
        return cast("_T", self._made[key])  # by the invariant
