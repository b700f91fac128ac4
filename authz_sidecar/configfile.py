"""Reads `authz.toml` and what the environment overrides of it; every mistake is said at once."""

import os
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from authz_sidecar import tomlfile
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.mistakes import fields, mistakes
from authz_sidecar.tomlfile import Location, TomlError

_ENVIRONMENT: Final = "AUTHZ_"
_NOT_SETTINGS: Final = frozenset({"AUTHZ_CONFIG", "AUTHZ_TOKEN"})  # where the file is; the command line's own token


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the file, let `AUTHZ_SECTION__KEY` override its scalars, and check everything.

    Raises `ConfigError`, a line for each problem: `file:line: what is wrong, what to do`.
    """
    text, tree = _read(path)
    overrides = _overrides(environment, tree)
    try:
        return Config.model_validate(tree).based(path.parent.resolve())
    except ValidationError as error:
        said = mistakes(error, path=path, text=text, model=Config, overrides=overrides)
        raise ConfigError("\n".join(said)) from None


def _read(path: Path) -> tuple[str, dict[str, typing.Any]]:
    try:
        return tomlfile.read(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `authz-sidecar init` writes one") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except TomlError as error:
        raise ConfigError(str(error)) from None


def _overrides(environment: Mapping[str, str], tree: dict[str, typing.Any]) -> dict[Location, str]:
    """Apply the environment to the tree, and say which variable set what."""
    found: dict[Location, str] = {}
    for name in sorted(environment):
        if not name.startswith(_ENVIRONMENT) or name in _NOT_SETTINGS:
            continue
        *sections, key = name.removeprefix(_ENVIRONMENT).lower().split("__")
        place = tree
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"environment {name}: `{section}` is a list; edit it in the file")
            place = inner
        place[key] = _scalar((*sections, key), environment[name])
        found[(*sections, key)] = name
    return found


def _scalar(where: Location, value: str) -> str | int | bool:
    """Read a variable as the field is typed; the types are strict, so `"1"` alone would be no number."""
    field = fields(Config, where[:-1]).get(str(where[-1]))
    kind = getattr(field, "annotation", str)
    if kind is bool and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind is int and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return value
