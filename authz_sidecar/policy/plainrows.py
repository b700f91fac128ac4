"""Reads the `p` rows that have nothing odd about them, which are most, in a fraction of the time."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, make_dataclass
from typing import Any, Final

from authz_sidecar.breath import breathe
from authz_sidecar.policy.cells import Columns
from authz_sidecar.policy.csvrows import Numbered, Plain, Quick, doubtful
from authz_sidecar.policy.names import Misspelt, check_uri, pattern, subject
from authz_sidecar.policy.tables import names_uris
from authz_sidecar.policy.tables import tool as _tool
from authz_sidecar.rules import Effect, Pattern, Rule

_BREATH: Final = 32  # lines; together they take less than a breath
# Without their memories: here every spelling is met once.
_pattern: Final = pattern.__wrapped__
_subject: Final = subject.__wrapped__
_check_uri: Final = check_uri.__wrapped__
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
_Blank: Final[Any] = make_dataclass("_Blank", [(one.name, object) for one in fields(Rule)], slots=True, init=False)


def plain_rules(file: str) -> Quick[Rule]:
    """Give what makes rules of the lines of a file: what the careful reader would make of them.

    It leaves a line alone that is no `p` row of six fields, has a condition, or has a problem that is to be reported.
    Fields are looked up as they stand, blanks included: a policy repeats few of them.
    """
    # Names of a function and not of an object: this is where the time goes.
    subjects, patterns, methods, effects, blank = _Subjects(), _Patterns(), _Methods(), _Effects(), _Blank

    def rules(lines: Iterator[Numbered], until: float | None, sure: bool) -> tuple[list[Rule], Numbered | None]:
        made: list[Any] = []
        keep = made.append
        for at, text in lines:
            try:
                kind, who, server, method, tool, effect = text.split(",")
                if kind != "p" or not (sure or not doubtful(text)):
                    return made, (at, text)
                rule = blank()
                rule.subject = subjects[who]
                rule.server = patterns[server]
                rule.method, tools = methods[method]
                rule.tool = tools[tool]
                rule.effect = effects[effect]
            except (ValueError, Misspelt):
                return made, (at, text)
            rule.source = file
            rule.line = at
            rule.text = " ".join(text.split()) if "  " in text or text[-1] == " " else text
            rule.until = until
            rule.when = None
            rule.__class__ = Rule
            keep(rule)
            if not at % _BREATH:
                breathe()
        return made, None

    return rules


class _Subjects(dict[str, Pattern]):
    def __missing__(self, part: str) -> Pattern:
        found = self[part] = _subject(part.strip(" "))
        return found


class _Patterns(dict[str, Pattern]):
    def __missing__(self, part: str) -> Pattern:
        found = self[part] = _pattern(part.strip(" "))
        return found


class _Methods(dict[str, "tuple[Pattern, dict[str, Pattern]]"]):
    """Methods, and what their tools mean."""

    def __init__(self) -> None:
        super().__init__()
        self._tools: Final = _Tools()
        self._uris: Final = _Uris()

    def __missing__(self, part: str) -> "tuple[Pattern, dict[str, Pattern]]":
        method = part.strip(" ")
        found = self[part] = _pattern(method), self._uris if names_uris(method) else self._tools
        return found


class _Tools(dict[str, Pattern]):
    def __missing__(self, part: str) -> Pattern:
        found = self[part] = _tool(part.strip(" "), "", _pattern)
        return found


class _Uris(dict[str, Pattern]):
    """The same for methods that name resources."""

    def __missing__(self, part: str) -> Pattern:
        found = _pattern(part.strip(" "))
        _check_uri(found)  # INVARIANT: before it is kept, or a second row with it would pass
        self[part] = found
        return found


class _Effects(dict[str, Effect]):
    def __missing__(self, part: str) -> Effect:
        found = _EFFECTS.get(part.strip(" "))
        if found is None:
            raise Misspelt("unknown-effect", "the careful reader says what is wrong")
        self[part] = found
        return found
