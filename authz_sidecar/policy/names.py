"""The spelling of names and patterns in policy files."""

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from authz_sidecar.policy.findings import one_of, quote
from authz_sidecar.rules import ANY, PREFIXES, Pattern

_SPECIAL: Final = re.compile(r"\\.?|\*", re.DOTALL)
# RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_SECOND: Final = re.compile(rf"[,;|\s]\s*(?:{'|'.join(PREFIXES)})")
_QUOTED: Final = "in LibreOffice without `Quote all text cells`"
_SEGMENTS: Final = re.compile(r"[/?#]")
_UNSAFE: Final = re.compile("%2e|%2f|%5c|%00|\\\\|[\x00-\x1f\x7f-\x9f]", re.IGNORECASE)
_IN_DOUBT: Final = re.compile("[.%\\\\\x00-\x1f\x7f-\x9f]")  # what is unsafe, and a dot segment, has one of these
KEPT: Final = 65_536
"""Spellings that are remembered: the rows of a policy repeat few names, and share what was made of them."""


class Misspelt(Exception):
    """A field that does not say what it must; `offset` is the character of the field, from 0, that is wrong."""

    def __init__(self, code: str, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.code, self.offset = code, offset


@lru_cache(KEPT)
def pattern(text: str) -> Pattern:
    """Read a literal, `*`, or a trailing `*`; `\\*` is a literal star. Raises `Misspelt`."""
    if not text:
        raise Misspelt("empty-field", "an empty field, write `*` for anything")
    if text.strip(" ") != text:
        # Only quotes let a blank get here. It never matches, so a deny row would be dead.
        message = f"{quote(text)} begins or ends with a blank inside its quotes, remove it ({_QUOTED})"
        raise Misspelt("blank-at-edge", message)
    if "*" not in text and "\\" not in text:
        return Pattern(text)
    for special in _SPECIAL.finditer(text):
        if special[0] == "*" and special.end() < len(text):
            # Casbin's keyMatch ignores everything after the first star, and so grants more than it says.
            message = f"{quote(text)} has a `*` that is not at the end, write `\\*` for a literal star"
            raise Misspelt("star-inside", message, special.start())
        if special[0] not in ("*", "\\*"):
            message = f"{quote(text)} has a backslash that escapes nothing, only `\\*` is an escape"
            raise Misspelt("lone-backslash", message, special.start())
    prefix = text.endswith("*") and not text.endswith("\\*")
    return Pattern(text.removesuffix("*").replace("\\*", "*") if prefix else text.replace("\\*", "*"), prefix)


def literal(text: str) -> str:
    """Read a name that is no pattern. Raises `Misspelt`."""
    found = pattern(text)
    if found.prefix:
        message = f"{quote(text)} is a pattern, only a whole name can stand here"
        raise Misspelt("pattern-not-allowed", message, len(text) - 1)
    return found.text


@lru_cache(KEPT)
def subject(text: str) -> Pattern:
    """Read the subject of a rule: a prefixed name or pattern, or `*` for everybody. Raises `Misspelt`."""
    found = pattern(text)
    if found == ANY:
        return found
    prefix = next((known for known in PREFIXES if found.text.startswith(known)), None)
    if prefix is None:
        raise Misspelt("unprefixed-subject", f"{quote(text)} needs {one_of(PREFIXES)} in front{_meant(text)}")
    name = found.text.removeprefix(prefix)
    if not name and not found.prefix:
        raise Misspelt("empty-name", f"{quote(text)} has no name behind its prefix", len(prefix))
    if name[:1].isspace():
        raise Misspelt("blank-in-name", f"{quote(text)} has a blank behind its prefix", len(prefix))
    if ":" in name and (second := _SECOND.search(name)) is not None:
        # Nobody is called so: a deny row for two would deny neither.
        raise Misspelt("several-names", f"{quote(text)} is more than one name, each needs a row", second.start())
    return found


def member(text: str) -> str:
    """Read a prefixed name that is no pattern. Raises `Misspelt`."""
    literal(text)
    return subject(text).text


def role(text: str) -> str:
    """Read the right side of a membership: a role or a group. Raises `Misspelt`."""
    name = member(text)
    if not name.startswith(("role:", "group:")):
        raise Misspelt("not-a-role", f"{quote(text)} can hold no members, expected `role:` or `group:` in front")
    return name


def scopes(text: str) -> tuple[str, ...]:
    """Read scopes that are separated by blanks. Raises `Misspelt`."""
    for found in re.finditer(r"\S+", text):
        if not _SCOPE.fullmatch(found[0]):
            message = f"{quote(found[0])} is not a scope, RFC 6749 allows printable ASCII without quote and backslash"
            raise Misspelt("bad-scope", message, found.start())
    return tuple(text.split())


@lru_cache(KEPT)
def check_uri(found: Pattern) -> None:
    """Refuse a resource URI that two readers could resolve differently (CVE-2019-9901). Raises `Misspelt`."""
    if _IN_DOUBT.search(found.text) is None:
        return  # as most, at the price of one look
    unsafe = _UNSAFE.search(found.text)
    if unsafe is not None:
        message = f"{quote(str(found))} has {quote(unsafe[0])}, which is refused in resource URIs"
        raise Misspelt("unsafe-uri", message)
    whole = _SEGMENTS.split(found.text)
    if found.prefix:
        whole.pop()  # `files://.*` also means `files://.profile`; a request with a dot segment never gets here
    if "." in whole or ".." in whole:
        raise Misspelt("unsafe-uri", f"{quote(str(found))} has a dot segment, write the URI without it")


def closest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that was probably meant."""
    choices = sorted(known)
    folded = next((choice for choice in choices if choice.casefold() == word.casefold()), None)
    return folded or next(iter(difflib.get_close_matches(word[:200], choices, n=1)), None)


def expected(word: str, known: Iterable[str]) -> str:
    """Say what would be right: the closest word when there is one, or all."""
    choices = tuple(known)
    near = closest(word, choices)
    return f"expected `{near}`" if near else f"expected {one_of(choices)}"


def _meant(text: str) -> str:
    text = text.strip("'\u2018\u2019`")  # what quotes in other languages quotes nothing here
    head, colon, name = text.partition(":")
    near = closest(f"{head}:", PREFIXES) if colon else None
    if near:
        return f", did you mean {quote(near + name.lstrip())}"
    return "" if colon or "*" in text else f", for example {quote('user:' + text)}"
