"""The database: SQLite as a file by default, or PostgreSQL; brought up to date by its migrations at the start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import places

_WRITES: Final = "authz_writes"
_BUSY_SECONDS: Final = 10
_LOCK: Final = 0x6F61757468  # one migration at a time on PostgreSQL

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


class Store:
    """Gives transactions: all of one, or nothing of it, survives a crash."""

    def __init__(self, url: str, *, password: str | None = None) -> None:
        """Take `sqlite:///FILE` or `postgresql://USER@HOST/NAME`; nothing is opened yet. Raises `ConfigError`."""
        self._url = _read(url, password)
        self._engine = _engine(self._url)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        # INVARIANT: one writer at a time in SQLite; those that wait do so here, in order, and not by polling the file.
        self._turn = asyncio.Lock() if self.sqlite else None

    @property
    def sqlite(self) -> bool:
        """True for a file of our own."""
        return self._url.drivername.startswith("sqlite")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only looks."""
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is committed at the end, or rolled back by an exception."""
        async with self._turn or nullcontext(), self._writer.begin() as connection:
            yield connection

    async def migrate(self) -> None:
        """Bring the tables up to date; raises `ConfigError` when the database cannot be used."""
        try:
            if self.sqlite and self._url.database:
                await asyncio.to_thread(_begin_alone, Path(self._url.database))
            async with self._writer.begin() as connection:
                if not self.sqlite:
                    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                await connection.run_sync(_upgrade)
            if self.sqlite and self._url.database:
                await asyncio.to_thread(_shut, Path(self._url.database))
        except CommandError as error:
            raise ConfigError(f"`oauth.database`: was written by a newer version of authz-sidecar: {error}") from None
        except (SQLAlchemyError, OSError) as error:
            raise ConfigError(f"`oauth.database`: cannot be used: {_why(error)}") from None

    async def close(self) -> None:
        """Let go of every connection."""
        await self._engine.dispose()


def _read(text: str, password: str | None) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("`oauth.database`: expected `sqlite:///FILE` or `postgresql://USER@HOST/NAME`") from None
    driver = _DRIVERS.get(url.drivername.partition("+")[0])
    if driver is None:
        raise ConfigError(f"`oauth.database`: `{url.drivername}` is not supported, use `sqlite` or `postgresql`")
    if url.password is not None:
        raise ConfigError("`oauth.database`: holds a password; put it into a file that `database_password_file` names")
    if driver == _DRIVERS["sqlite"] and (url.host or url.database in (None, "", ":memory:")):
        raise ConfigError("`oauth.database`: expected `sqlite:///FILE`, a file that outlives us")
    url = url.set(drivername=driver)
    return url.set(password=password) if password and driver != _DRIVERS["sqlite"] else url


def _engine(url: URL) -> AsyncEngine:
    if not url.drivername.startswith("sqlite"):
        return create_async_engine(
            url, pool_size=10, max_overflow=10, pool_timeout=10, pool_pre_ping=True, hide_parameters=True
        )
    options = {"timeout": _BUSY_SECONDS, "isolation_level": None}
    # `hide_parameters`: no log names whom a row is about. Connections beyond the pool would be opened for each use.
    engine = create_async_engine(
        url, connect_args=options, hide_parameters=True, pool_size=16, max_overflow=4, pool_timeout=30
    )
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _begin_alone(database: Path) -> None:
    """Make the file first, so that at no moment anybody else may read it."""
    for path in places.of_database(database):
        places.check(path)
    database.touch(mode=0o600)


def _shut(database: Path) -> None:
    """Shut what others could read, now that it is known to be a database of ours."""
    for path in places.of_database(database):
        places.shut(path)


def _prepare(connection: Any, _: object) -> None:  # what the driver gives has no type of its own
    cursor = connection.cursor()
    # FULL: what was answered is on the disk, so that a spent code stays spent, whatever falls out.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later could find the file changed by another process in between.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "authz_sidecar.oauth:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _why(error: Exception) -> str:
    """Name the failure in one line; the driver's own words hold no password."""
    origin = getattr(error, "orig", None) or error
    return f"{type(origin).__name__}: {str(origin).partition(chr(10))[0]}"[:300]
