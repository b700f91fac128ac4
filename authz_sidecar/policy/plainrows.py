"""Reads the `p` rows that have nothing odd about them, which are most, in a fraction of the time."""

from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from typing import Any, Final, cast

from authz_sidecar.policy.cells import Columns
from authz_sidecar.policy.csvrows import Plain, Quick
from authz_sidecar.policy.names import Misspelt, pattern, subject
from authz_sidecar.policy.tables import tool as _tool
from authz_sidecar.rules import Effect, Pattern, Rule

_WHOLE: Final = 6
# Without their memories: here every spelling is met once.
_pattern: Final = pattern.__wrapped__
_subject: Final = subject.__wrapped__
_EFFECTS: Final = {effect.value: effect for effect in Effect}


class LazyColumns(Columns):
    """Columns that are counted when somebody has a problem to report, and for most rows nobody has."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Take the files that the rows stand in."""
        super().__init__()
        self._files = files
        self._lines: dict[str, list[bytes]] = {}

    def __missing__(self, key: tuple[str, int]) -> tuple[int, ...]:
        """Count those of a plain row; others are counted when they are read."""
        file, line = key
        if file not in self._lines:
            self._lines[file] = self._files[file].split(b"\n")
        text = self._lines[file][line - 1].decode().removesuffix("\r")
        columns = self[key] = tuple(field.column for field in Plain(text))
        return columns


# A frozen dataclass sets its fields one by one through `object.__setattr__`, which is most of what a row costs. So a
# rule is filled in as its twin, and becomes what it is before anybody sees it; `TypeError` if the twins ever differed.
_Draft: Final[Any] = make_dataclass("_Draft", [(one.name, object) for one in fields(Rule)], slots=True)


def plain_rules(file: str) -> Quick[Rule]:
    """Give what makes rules of the lines of a file: what the careful reader would make of them.

    It gives None when a line is no `p` row of six fields, has a condition, or has a problem that is to be reported.
    Fields are looked up as they stand, blanks included: a policy repeats few of them.
    """
    # Names of a function and not of an object: this is where the time goes.
    subjects, patterns, methods, effects, draft = _Subjects(), _Patterns(), _Methods(), _Effects(), _Draft

    def rule(line: int, text: str, until: float | None) -> Rule | None:
        parts = text.split(",")
        if len(parts) != _WHOLE or parts[0] != "p":
            return None
        _, who, server, method, tool, effect = parts
        if "  " in text or text[-1] == " ":
            text = " ".join(text.split())
        try:
            made: Any = draft(
                subjects[who],
                patterns[server],
                patterns[method],
                methods[method][tool],
                effects[effect],
                file,
                line,
                text,
                until,
                None,
            )
        except Misspelt:
            return None
        made.__class__ = Rule
        return cast("Rule", made)

    return rule


class _Subjects(dict[str, Pattern]):
    def __missing__(self, part: str) -> Pattern:
        found = self[part] = _subject(part.strip(" "))
        return found


class _Patterns(dict[str, Pattern]):
    def __missing__(self, part: str) -> Pattern:
        found = self[part] = _pattern(part.strip(" "))
        return found


class _Methods(dict[str, "_Tools"]):
    def __missing__(self, part: str) -> "_Tools":
        found = self[part] = _Tools(part.strip(" "))
        return found


class _Tools(dict[str, Pattern]):
    """The tools of rows with one method."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self._method: Final = method

    def __missing__(self, part: str) -> Pattern:
        found = self[part] = _tool(part.strip(" "), self._method, _pattern)
        return found


class _Effects(dict[str, Effect]):
    def __missing__(self, part: str) -> Effect:
        found = _EFFECTS.get(part.strip(" "))
        if found is None:
            raise Misspelt("unknown-effect", "the careful reader says what is wrong")
        self[part] = found
        return found
