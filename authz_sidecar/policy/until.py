"""Reads `# until 2027-01-31`, the line above a row that says when the row ends."""

import difflib
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.lines import Line

_DAY: Final = timedelta(days=1)
_WORD: Final = re.compile(r"#[#\s]*([A-Za-z]+)(.*)", re.DOTALL)
_MOMENT: Final = re.compile(r"(2\d{3}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?")
_DATED: Final = re.compile(r"\s*:?\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_ALIKE: Final = 0.75


class Ends:
    """Carries the word of an `# until` line to the row directly below it.

    A comment, so that Casbin's own loader still reads the row (and for Casbin it never ends). A line that could be
    meant as one is never taken for a note: a grant that was to end would stay.
    """

    def __init__(self, file: str, found: Findings) -> None:
        self._file, self._found = file, found
        self._line = 0
        self._until: float | None = None

    @property
    def waiting(self) -> bool:
        """Say whether an `# until` line waits for its row."""
        return bool(self._line)

    def note(self, line: Line) -> None:
        """Look at a comment."""
        word = _WORD.match(line.text.strip(' \t",'))  # a spreadsheet may put quotes round it and commas behind
        if word is None:
            return
        if word[1] != "until":
            if _DATED.match(word[2]) and difflib.SequenceMatcher(None, word[1].lower(), "until").ratio() > _ALIKE:
                self._error(line.number, f"{quote(line.text.strip())} looks like an end, write `# until 2027-01-31`")
            return
        self.close()
        self._line = line.number
        until = moment(word[2].strip(" \t"))
        if until is None:
            message = (
                f"{quote(line.text.strip())} names no day, write `# until 2027-01-31` or `# until 2027-01-31T18:00Z`"
            )
            self._error(line.number, message)
        self._until = until

    def take(self, number: int) -> float | None:
        """Give the end of the row on this line, in seconds since the epoch."""
        if not self._line:
            return None
        if number != self._line + 1:
            self.close()
            return None
        self._line = 0
        return self._until

    def close(self) -> None:
        """Report an end that no row took, for which somebody waits in vain."""
        if self._line:
            self._error(self._line, "`# until` must stand directly above the row that ends")
        self._line = 0

    def _error(self, number: int, message: str) -> None:
        self._found.error(self._file, number, 1, "bad-until", message)


def moment(text: str) -> float | None:
    """Read a day, which counts to its last second in UTC, or a moment with its zone, in seconds since the epoch."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    try:
        if found[2]:
            return datetime.fromisoformat(text).timestamp()
        return (datetime.fromisoformat(text).replace(tzinfo=UTC) + _DAY).timestamp()
    except ValueError:
        return None


def spelled(until: float) -> str:
    """Spell an end as the file does."""
    at = datetime.fromtimestamp(until, UTC)
    if (at.hour, at.minute, at.second) == (0, 0, 0):
        return (at - _DAY).strftime("%Y-%m-%d")
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
