"""Escapes the characters that a terminal obeys or a reader cannot see, in text for people."""

import re
from typing import Final

from authz_sidecar.events import UNSEEN

_UNPRINTABLE: Final = re.compile(f"[{UNSEEN}\x00-\x1f]")


def in_text(text: str) -> str:
    """Escape them, with C0 controls, in text for a terminal."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
