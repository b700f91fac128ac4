"""Reads `gateway.toml`; every mistake is said at once."""

from pathlib import Path

from pydantic import ValidationError

from authz_sidecar import tomlfile
from authz_sidecar.mistakes import mistakes
from authz_sidecar.tomlfile import TomlError
from mcp_adapter.gateway.config import Gateway


class ConfigError(Exception):
    """The configuration is wrong: a line for each problem, `file:line: what is wrong, what to do`."""


def load(path: Path) -> Gateway:
    """Read and check the whole file; raises `ConfigError`."""
    try:
        text, tree = tomlfile.read(path)
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except TomlError as error:
        raise ConfigError(str(error)) from None
    try:
        return Gateway.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(mistakes(error, path=path, text=text, model=Gateway))) from None
