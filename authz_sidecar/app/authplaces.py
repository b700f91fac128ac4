"""Where the authorization server keeps what is its own."""

from pathlib import Path
from typing import Final

from authz_sidecar.config import Config

_FILE: Final = "sqlite:///"


def folder(config: Config) -> Path:
    """Name the directory of what belongs to the authorization server."""
    return config.state / "oauth"


def key_directory(config: Config) -> Path:
    """Name the directory of the signing keys."""
    return config.at(config.oauth.keys) if config.oauth.keys else folder(config) / "keys"


def database(config: Config) -> str:
    """Give the URL of the database."""
    given = config.oauth.database
    if given and not given.startswith(_FILE):
        return given
    return f"{_FILE}{config.at(given.removeprefix(_FILE)) if given else folder(config) / 'oauth.db'}"


def database_file(config: Config) -> Path | None:
    """Name the file of the database; None for one that is no file of ours."""
    given = config.oauth.database
    if not given:
        return folder(config) / "oauth.db"
    return config.at(given.removeprefix(_FILE).partition("?")[0]) if given.startswith(_FILE) else None
