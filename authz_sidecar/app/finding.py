"""What a look at one thing found."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a thing is."""

    FAIL = "fail"
    OK = "ok"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing, how it is, and what to do about it."""

    about: str
    health: Health
    sentence: str
    advice: str = ""


def ok(about: str, sentence: str) -> Finding:
    """Say that a thing is well."""
    return Finding(about=about, health=Health.OK, sentence=sentence)


def warn(about: str, sentence: str, advice: str) -> Finding:
    """Say that a thing works and deserves a look."""
    return Finding(about=about, health=Health.WARN, sentence=sentence, advice=advice)


def fail(about: str, sentence: str, advice: str) -> Finding:
    """Say that a thing does not work."""
    return Finding(about=about, health=Health.FAIL, sentence=sentence, advice=advice)
