"""Escapes the characters that a terminal obeys or a reader cannot see."""

import re
from typing import Final

# DEL and C1 controls (U+009B begins a terminal's command), zero-width and line separators, bidirectional overrides,
# the byte order mark. JSON itself escapes C0 controls only.
_UNSEEN: Final = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
_UNPRINTABLE: Final = re.compile(_UNSEEN.pattern[:-1] + "\x00-\x1f]")


def in_json(line: bytes) -> bytes:
    """Escape them in a line of JSON, where they stand inside strings only."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSEEN.sub(_json_escape, line.decode()).encode()


def in_text(text: str) -> str:
    """Escape them, with C0 controls, in text for a terminal."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def _json_escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
