"""Where the configuration says that the policy comes from."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.policy.source import Directory, Source

if TYPE_CHECKING:
    from authz_sidecar.policy.connect import Address

_LONGEST: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A source, and how it is watched."""

    source: Source
    interval: float = 0.1
    """Seconds between two looks."""
    quiet: float = 0.2
    """Seconds for which an edit must rest; a transaction needs none."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    hear: Callable[[], Coroutine[Any, Any, None]] | None = None
    """Sets `wake` when somebody tells of a change, until it is cancelled."""

    async def close(self) -> None:
        """Give back what is held."""
        close = getattr(self.source, "close", None)
        if close is not None:
            await asyncio.to_thread(close)


def sourced(config: Config) -> Sourced:
    """Give the configured source; raises `ConfigError`."""
    directory = config.at(config.policy.path)
    if not config.policy.database:
        return Sourced(source=Directory(directory))
    where = database(config)
    from authz_sidecar.policy.database import Database
    from authz_sidecar.policy.notices import hear

    wake = asyncio.Event()
    return Sourced(
        source=Database(where, directory),
        interval=1.0,
        quiet=0.0,
        wake=wake,
        hear=partial(hear, where, wake) if where.postgresql else None,
    )


def database(config: Config) -> "Address":
    """Give the address of the configured database; raises `ConfigError`."""
    if not config.policy.database:
        raise ConfigError('no database is configured, write `database = "sqlite:///policy.db"` under `[policy]`')
    if find_spec("sqlalchemy") is None or find_spec("psycopg") is None:
        raise ConfigError("`policy.database` needs more packages: `pip install 'authz-sidecar[database]'`")
    from authz_sidecar.policy.connect import address

    secret = config.policy.database_password_file
    password = partial(_secret, config.at(secret)) if secret else None
    found = address(config.policy.database, base=config.at("."), password=password)
    if password is not None:
        try:
            password()
        except OSError as error:
            raise ConfigError(f"`policy.database_password_file` {secret}: {error.strerror or error}") from None
    return found


async def read(config: Config, directory: Path | None = None) -> dict[str, bytes]:
    """Give the files of a directory, or else of the configured source; raises `PolicyProblems` and `ConfigError`."""
    found = Sourced(source=Directory(directory)) if directory else sourced(config)
    try:
        return await asyncio.to_thread(found.source.read)
    finally:
        await found.close()


def _secret(path: Path) -> str:
    """Read a password; raises `OSError` and nothing else, as a connection that fails does."""
    with path.open("rb") as file:
        try:
            return file.read(_LONGEST).decode().strip()
        except UnicodeDecodeError:
            raise OSError("is not UTF-8") from None
