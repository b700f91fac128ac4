"""What is revoked, by name, so that a question costs a few look-ups and no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import Final

from authz_sidecar.model import Principal
from authz_sidecar.revocation import Kept, Kind

_Name = tuple[str, str]
"""The issuer, and a name that means something there."""


@dataclass(slots=True)
class _Mark:
    """All revocations of one name: tokens issued before a moment, until the mark may go. It only ever grows."""

    before: float
    """`inf` when every token is meant."""
    before_until: float
    until: float
    """Until when every token is meant; 0 when there is only a moment."""

    def add(self, kept: Kept) -> None:
        """Take another revocation of the same name."""
        before = kept.revocation.issued_before
        if before is None:
            self.until = max(self.until, kept.keep_until)
        else:
            self.before = max(self.before, before)
            self.before_until = max(self.before_until, kept.keep_until)

    def means(self, issued_at: float | None) -> bool:
        """Say whether a token is meant; one that does not tell when it was issued may be older than any moment."""
        return self.until > 0 or issued_at is None or issued_at < self.before

    def fade(self, now: float) -> bool:
        """Forget what may be forgotten, and say whether nothing is left."""
        if self.until <= now:
            self.until = 0.0
        if self.before_until <= now:
            self.before = -inf
        return not self.until and self.before == -inf


class Marks:
    """Every revocation in force. It belongs to one event loop.

    INVARIANT: an entry counts until `forget` drops it; a look-up never asks the clock.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept: dict[str, Kept] = {}  # by id, in the order of their epochs
        self._ends: list[tuple[float, str]] = []
        self._by: Final[dict[Kind, dict[_Name, _Mark]]] = {kind: {} for kind in Kind}
        self._tokens = self._by[Kind.TOKEN]
        self._subjects = self._by[Kind.SUBJECT]
        self._clients = self._by[Kind.CLIENT]
        self._families = self._by[Kind.FAMILY]
        self._issuers = self._by[Kind.ISSUER]
        self._horizons: dict[str, float] = {}

    def __len__(self) -> int:
        """Count the revocations in force."""
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        """Go through all, the oldest epoch first."""
        return iter(self._kept.values())

    def __contains__(self, name: str) -> bool:
        """Say whether a revocation is known, by its id."""
        return name in self._kept

    @property
    def horizons(self) -> dict[str, float]:
        """Give, for each issuer, up to when revocations were made that are forgotten now (seconds since the epoch)."""
        return dict(self._horizons)

    def add(self, kept: Kept) -> None:
        """Take a revocation whose id is not known yet."""
        what = kept.revocation
        self._kept[kept.id] = kept
        heappush(self._ends, (kept.keep_until, kept.id))
        mark = self._by[what.kind].setdefault((what.issuer, what.value), _Mark(-inf, 0.0, 0.0))
        mark.add(kept)

    def horizon(self, issuer: str, at: float) -> None:
        """Learn that revocations made up to this moment may be forgotten."""
        self._horizons[issuer] = max(at, self._horizons.get(issuer, at))

    def forget(self, now: float, *, skew: float) -> list[Kept]:
        """Drop what may be forgotten, and give it.

        A token may live on longer than its revocation was kept. What remains is a horizon: a token issued before it is
        refused, because it may have been among those. `skew` is how far an issuer's clock may be ahead of ours.
        """
        gone: list[Kept] = []
        while self._ends and self._ends[0][0] <= now:
            kept = self._kept.pop(heappop(self._ends)[1])
            gone.append(kept)
            what = kept.revocation
            if what.ends is None:
                self.horizon(what.issuer, kept.at + skew)
            marks, name = self._by[what.kind], (what.issuer, what.value)
            if (mark := marks.get(name)) is not None and mark.fade(now):
                del marks[name]
        return gone

    def find(self, who: Principal) -> str:
        """Say why the token of this caller is revoked; empty when it is not."""
        issuer = who.issuer
        if who.token_id and (issuer, who.token_id) in self._tokens:
            return "the token was revoked by its `jti`"
        if self._families and who.family and (issuer, who.family) in self._families:
            return "the grant that the token came from was revoked"
        if self._subjects and (self._subject(issuer, who.subject, who) or self._subject(issuer, who.actor, who)):
            return "the subject, or who acts for it, was revoked"
        if self._clients and _means(self._clients.get((issuer, who.client_id)), who):
            return "the client was revoked"
        if self._issuers and _means(self._issuers.get((issuer, "")), who):
            return "the issuer's tokens of that time were revoked"
        if self._horizons and who.issued_at is not None and who.issued_at < self._horizons.get(issuer, 0.0):
            return "the token is older than revocations are kept, so it may be one of those (`keep_seconds`)"
        return ""

    def _subject(self, issuer: str, name: str, who: Principal) -> bool:
        return _means(self._subjects.get((issuer, name)), who)


def _means(mark: _Mark | None, who: Principal) -> bool:
    return mark is not None and mark.means(who.issued_at)
