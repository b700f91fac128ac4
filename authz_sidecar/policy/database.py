"""A policy whose rows stand in a database that several sidecars share."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.policy import files
from authz_sidecar.policy.connect import Address, engine, snapshot
from authz_sidecar.policy.files import Signature
from authz_sidecar.policy.findings import one_of, quote
from authz_sidecar.policy.lines import LARGEST
from authz_sidecar.policy.model import CANONICAL
from authz_sidecar.policy.parse import FOLDER, MODEL, POLICY
from authz_sidecar.policy.schema import ENDS, FILES, RULES, VALUES, VERSION
from authz_sidecar.policy.stored import ROWS, TABLE, Stored, encode

PUSHED: Final = tuple(name for name in files.NAMES if name != POLICY)
"""The files that stand in the database as they are."""
MOST: Final = 1_000_000
"""Rows that a policy may have."""


class Database:
    """Is a `Source`. The rows come from `casbin_rule`, the other files from `authz_file`, where `policy push` put them.

    Where nobody ever pushed, the other files are those of a directory, and the model is our own unless it has one.
    """

    def __init__(self, where: Address, beside: Path | None = None) -> None:
        """Take the address and the directory with the other files; nothing is connected yet."""
        self._where = where
        self._beside = beside
        self._engine: Final[Engine] = engine(where)
        # INVARIANT: one thread at a time, so that none is left with a connection when the engine is closed
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """Give the URL, without a password."""
        return self._where.place

    def read(self) -> dict[str, bytes]:
        """Read everything in one transaction; raises `PolicyProblems`."""
        try:
            with self._lock, snapshot(self._engine) as connection:
                found = contents(connection)
        except (SQLAlchemyError, OSError) as error:
            raise PolicyProblems([Problem(self.place, 0, 0, "unreachable", f"cannot be read: {why(error)}")]) from None
        return whole(found, self._beside, self.place)

    def signature(self) -> Signature:
        """Give the version that triggers count, or a digest of everything where there are none."""
        beside = files.signature(self._beside) if self._beside is not None else ()
        try:
            with self._lock, snapshot(self._engine) as connection:
                if inspect(connection).has_table(VERSION.name):
                    version = connection.execute(select(VERSION.c.version).where(VERSION.c.id == 1)).scalar()
                    if version is not None:
                        last = connection.execute(select(func.max(RULES.c.id))).scalar()
                        return "version", version, last, beside
                return "digest", files.digest(contents(connection)), beside
        except (SQLAlchemyError, OSError, PolicyProblems) as error:
            return type(error).__name__, beside

    def close(self) -> None:
        """Give the connections back; what is being read is waited for."""
        with self._lock:
            self._engine.dispose()


def whole(found: Mapping[str, bytes], beside: Path | None, place: str) -> dict[str, bytes]:
    """Give the files of a policy from what `contents` found; raises `PolicyProblems`."""
    others = _others(beside, place) if beside is not None and MODEL not in found else {}
    return {MODEL: CANONICAL.encode(), **found, **others}


def _others(directory: Path, place: str) -> dict[str, bytes]:
    """Read the other files of a directory, which may have no rows of its own: they would seem to be in force."""
    found = files.read(directory, required=()) if directory.exists() else {}
    rows = [name for name in found if name == POLICY or name.startswith(FOLDER)]
    if rows:
        message = f"is not read, the rows are those of {place}; push them there, or remove the file"
        raise PolicyProblems(Problem(name, 0, 0, "not-read", message) for name in rows)
    return found


def contents(connection: Connection) -> dict[str, bytes]:
    """Give the rows and the files that were pushed; raises `PolicyProblems` where there is no table."""
    tables = frozenset(inspect(connection).get_table_names())
    if RULES.name not in tables:
        message = f"has no table `{TABLE}`, `authz-sidecar policy push DIR` makes it"
        raise PolicyProblems([Problem("database", 0, 0, "no-table", message)])
    rows = encode(stored(connection, ends=ENDS.name in tables))
    if len(rows) > LARGEST:
        raise PolicyProblems([Problem(TABLE, 0, 0, "too-large", f"has more than {LARGEST} bytes")])
    found = {ROWS: rows}
    if FILES.name in tables:
        found |= {row.name: row.body for row in connection.execute(FILES.select())}
    # INVARIANT: a name from the database never becomes a path: the last good copy is written under these names.
    if strangers := sorted(found.keys() - {ROWS, *PUSHED}):
        message = f"has the unknown file {quote(strangers[0])}, expected {one_of(PUSHED)}"
        raise PolicyProblems([Problem(FILES.name, 0, 0, "unknown-file", message)])
    return found


def stored(connection: Connection, *, ends: bool) -> list[Stored]:
    """Give the rows in the order of their ids; raises `PolicyProblems` for an end without its row."""
    until = {row.rule_id: row.until for row in connection.execute(ENDS.select())} if ends else {}
    rows: list[Stored] = []
    for row in connection.execute(RULES.select().order_by(RULES.c.id).limit(MOST + 1)).mappings():
        values = [row["ptype"], *(row[name] for name in VALUES)]
        while values and values[-1] is None:
            values.pop()
        # A null between values is an empty field: it is for the rules of a row to refuse it.
        texts = tuple("" if value is None else str(value) for value in values) or ("",)
        rows.append(Stored(id=row["id"], values=texts, until=until.pop(row["id"], "")))
    if len(rows) > MOST:
        raise PolicyProblems([Problem(TABLE, 0, 0, "too-large", f"has more than {MOST} rows")])
    if until:
        message = f"`{ENDS.name}` names rows that do not exist, remove those: {sorted(until)[:5]}"
        raise PolicyProblems([Problem(TABLE, 0, 0, "bad-until", message)])
    return rows


def why(error: Exception) -> str:
    """Say what a library says, on one line and without the statement."""
    said = str(getattr(error, "orig", None) or error)
    return " ".join(said.split())[:300] or type(error).__name__
