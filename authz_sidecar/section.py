"""What every part of the configuration is: exact, frozen, and closed to unknown keys."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


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
