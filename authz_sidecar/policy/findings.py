"""Findings: what is wrong and what is odd in the files of a policy, gathered in passing."""

from collections.abc import Iterable
from typing import Final

from authz_sidecar.errors import Problem

MOST: Final = 1_000
_SHOWN: Final = 60


class Findings:
    """Collects every problem and warning of one edit, so that an author mends them all at once.

    Beyond `MOST` of either kind they are only counted: 64 MiB of noise must not become gigabytes of messages.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._more_problems = 0
        self._more_warnings = 0

    def error(self, file: str, line: int, column: int, code: str, message: str) -> None:
        """Note what makes the policy unusable."""
        if len(self._problems) < MOST:
            self._problems.append(Problem(file, line, column, code, message))
        else:
            self._more_problems += 1

    def warn(self, file: str, line: int, column: int, code: str, message: str) -> None:
        """Note what is legal but surely not meant."""
        if len(self._warnings) < MOST:
            self._warnings.append(Problem(file, line, column, code, message))
        else:
            self._more_warnings += 1

    def extend(self, problems: Iterable[Problem]) -> None:
        """Take problems that others found."""
        for problem in problems:
            self.error(problem.file, problem.line, problem.column, problem.code, problem.message)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Give the problems in the order of the files, and at the end how many more there are."""
        return _ordered(self._problems, self._more_problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Give the warnings in the order of the files, and at the end how many more there are."""
        return _ordered(self._warnings, self._more_warnings)


def bounded(found: tuple[Problem, ...], most: int) -> tuple[Problem, ...]:
    """Give the first so many, and at the end how many more there are."""
    if len(found) <= most:
        return found
    more = len(found) - most
    return (*found[:most], Problem(found[most].file, 0, 0, "more", f"{more} more, see `authz-sidecar policy lint`"))


def quote(text: str) -> str:
    """Put an author's words in backticks, cut short and with what cannot be seen escaped."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    if shown.isprintable():
        return f"`{shown}`"
    seen = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown)
    return f"`{seen}`"


def one_of(words: Iterable[str]) -> str:
    """Spell a choice: `a`, `b` or `c`."""
    *first, last = (f"`{word}`" for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def _ordered(found: list[Problem], more: int) -> tuple[Problem, ...]:
    ordered = sorted(set(found))
    if more:
        ordered.append(Problem(ordered[-1].file, 0, 0, "more", f"{more} more, not listed"))
    return tuple(ordered)
