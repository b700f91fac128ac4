"""What every part of the configuration is: exact, frozen, and closed to unknown keys."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values are exact and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _place(value: str) -> str:
    if any(character < " " for character in value):
        raise ValueError("a path has no control characters")
    if value.startswith("~"):
        try:
            Path(value).expanduser()
        except RuntimeError:
            raise ValueError(f"`{value}`: there is no such home directory") from None
    return value


Place = Annotated[str, AfterValidator(_place)]
"""A file or directory; relative ones begin in the directory of the configuration."""


def a_name(value: str) -> str:
    """Take a name of a server or an issuer, or raise `ValueError`."""
    if not _NAME.fullmatch(value):
        raise ValueError(f"`{value}` is not a name: letters, digits, `.`, `_` and `-`, at most 128")
    return value
