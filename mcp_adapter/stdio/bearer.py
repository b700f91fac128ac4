"""The token under which a local server is called."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mcp_adapter.gateway.filed import Filed

_log: Final = logging.getLogger(__name__)

Bearer = Callable[[], str]
"""Gives the token as it is now; empty when there is none."""


def fixed(token: str) -> Bearer:
    """Give always the same."""
    return lambda: token


def from_file(path: Path) -> Bearer:
    """Give what the file says now; raises `ValueError` when it cannot be read at first.

    A file that is gone or broken later gives no token, never the old one.
    """
    filed = Filed(path)

    def token() -> str:
        try:
            return filed.value().decode("ascii")
        except ValueError as error:
            _log.warning("token_unreadable: %s", error)
            return ""

    return token
