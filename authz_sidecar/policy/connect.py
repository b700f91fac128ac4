"""Connects to the database of a policy, SQLite or PostgreSQL, with bounds on every wait."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from authz_sidecar.errors import ConfigError

SECONDS: Final = 5
"""How long a connection or a statement may take."""

_POSTGRESQL: Final = "postgresql+psycopg"
_LOCAL: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database is; the password is read anew for each connection, so that it can be changed."""

    url: URL
    password: Callable[[], str] | None = None

    @property
    def place(self) -> str:
        """Spell it without a secret."""
        return self.url.render_as_string(hide_password=True)

    @property
    def postgresql(self) -> bool:
        """Say whether it is PostgreSQL, which tells of changes."""
        return self.url.drivername == _POSTGRESQL


def address(text: str, *, base: Path, password: Callable[[], str] | None = None) -> Address:
    """Read `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`; raises `ConfigError`.

    A relative file begins in `base`. Over a network `sslmode` must be written out: whoever sits in between could
    otherwise write the policy.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "`policy.database` is not a URL, expected `sqlite:///FILE` or `postgresql+psycopg://…`"
        ) from None
    if url.password is not None:
        raise ConfigError("`policy.database` has a password in it, put it into `database_password_file`")
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ConfigError("`policy.database`: SQLite needs a file and nothing else, `sqlite:///policy.db`")
        return Address(url=url.set(database=str(base / url.database)))
    if url.drivername != _POSTGRESQL:
        raise ConfigError(f"`policy.database`: `{url.drivername}` is unknown, expected `sqlite` or `{_POSTGRESQL}`")
    host = url.host or str(url.query.get("host", ""))
    if host not in _LOCAL and not host.startswith("/") and "sslmode" not in url.query:
        raise ConfigError(
            f"`policy.database`: `{host}` is not this machine, add `?sslmode=verify-full&sslrootcert=FILE`"
        )
    return Address(url=url, password=password)


def engine(where: Address, *, writes: bool = False) -> Engine:
    """Give an engine that holds one connection at most and hides values from its messages."""
    if where.postgresql:
        made = create_engine(
            where.url,
            pool_size=1,
            max_overflow=1,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "connect_timeout": SECONDS,
                "tcp_user_timeout": SECONDS * 1_000,
                "options": f"-c statement_timeout={SECONDS * 1_000} -c lock_timeout={SECONDS * 1_000}",
                "application_name": "authz-sidecar",
            },
        )
        if where.password is not None:
            read = where.password

            @event.listens_for(made, "do_connect")
            def _(dialect: object, record: object, arguments: object, parameters: dict[str, object]) -> None:
                parameters["password"] = read()

        return made
    mode = "rwc" if writes else "ro"  # a sidecar must not make an empty database where a file is missing

    def open_file() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(where.url.database))}?mode={mode}", uri=True, timeout=SECONDS, check_same_thread=False
        )

    return create_engine("sqlite://", creator=open_file, poolclass=QueuePool, pool_size=1, hide_parameters=True)


@contextmanager
def snapshot(database: Engine) -> Iterator[Connection]:
    """Read as everything stood at one moment."""
    with database.connect() as connection:
        if database.dialect.name == "postgresql":
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            return
        with _explicit(connection, "BEGIN") as begun:
            yield begun


@contextmanager
def transaction(database: Engine) -> Iterator[Connection]:
    """Write all or nothing, alone."""
    if database.dialect.name == "postgresql":
        with database.begin() as connection:
            yield connection
        return
    with database.connect() as connection, _explicit(connection, "BEGIN IMMEDIATE") as begun:
        yield begun


@contextmanager
def _explicit(connection: Connection, begin: str) -> Iterator[Connection]:
    """Begin by hand: Python's driver begins only before the first write, and its reads would see different moments."""
    plain = connection.execution_options(isolation_level="AUTOCOMMIT")
    plain.exec_driver_sql(begin)
    try:
        yield plain
    except BaseException:
        plain.exec_driver_sql("ROLLBACK")
        raise
    plain.exec_driver_sql("COMMIT")
