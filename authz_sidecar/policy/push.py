"""Puts a checked policy into the database, in one transaction, and reads back what was put."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.policy.connect import Address, engine, transaction
from authz_sidecar.policy.csvrows import Row, read
from authz_sidecar.policy.database import PUSHED, contents, stored, why
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.parse import FOLDER, POLICY
from authz_sidecar.policy.schema import ENDS, FILES, LONGEST, RULES, VALUES, VERSION, create
from authz_sidecar.policy.until import spelled

_Line = tuple[tuple[str, ...], str]
"""The values of a row and when it ends."""
_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push changed."""

    added: int
    removed: int
    kept: int
    files: tuple[str, ...]
    """Those that are new, other than before, or gone."""
    version: int


def push(
    where: Address, files: Mapping[str, bytes], look: Callable[[Mapping[str, bytes]], None] | None = None
) -> Pushed:
    """Make the tables hold these files; raises `PolicyProblems`, and then nothing has changed.

    The files must have been checked before. Rows that stay keep their ids, so that old logs still name them. `look` is
    shown what the tables hold, while nobody else can write; when it raises, nothing has changed.
    """
    lines = _lines(files)
    database = engine(where, writes=True)
    try:
        with transaction(database) as connection:
            create(connection)
            _lock(connection)
            if look is not None:
                look(contents(connection))
            return _put(connection, lines, {name: files[name] for name in PUSHED if name in files})
    except (SQLAlchemyError, OSError) as error:
        problem = Problem(where.place, 0, 0, "not-written", f"cannot be written, nothing has changed: {why(error)}")
        raise PolicyProblems([problem]) from None
    finally:
        database.dispose()


def _lines(files: Mapping[str, bytes]) -> list[_Line]:
    found = Findings()
    lines: list[_Line] = []
    for name in (POLICY, *sorted(one for one in files if one.startswith(FOLDER))):
        rows = read(name, files.get(name, b""), found, ends=True)
        lines += [(_values(row, found), "" if row.until is None else spelled(row.until)) for row in rows]
    if found.problems:
        raise PolicyProblems(found.problems)
    return lines


def _values(row: Row, found: Findings) -> tuple[str, ...]:
    texts = [field.text for field in row.fields]
    while texts[-1] == "":
        texts.pop()
    for field in row.fields:
        if len(field.text) > LONGEST:
            message = f"{quote(field.text)} has {len(field.text)} characters, Casbin's table takes {LONGEST}"
            found.error(row.file, row.line, field.column, "too-long", message)
    if len(texts) > len(VALUES) + 1:
        message = f"has {len(texts) - 1} fields, Casbin's table takes {len(VALUES)}"
        found.error(row.file, row.line, 1, "too-long", message)
    return tuple(texts)


def _lock(connection: Connection) -> None:
    """Let nobody else write until the end of the transaction; whoever reads goes on reading what was."""
    if connection.dialect.name == "postgresql":  # SQLite has locked everything already
        names = ", ".join(table.name for table in (RULES, ENDS, FILES))
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


def _put(connection: Connection, lines: list[_Line], files: Mapping[str, bytes]) -> Pushed:
    wanted = Counter(lines)
    gone: list[int] = []
    for row in stored(connection, ends=True):
        line = (row.values, row.until)
        if wanted[line]:
            wanted[line] -= 1
        else:
            gone.append(row.id)
    fresh = list(wanted.elements())
    _remove(connection, gone)
    _add(connection, fresh)
    changed = _replace_files(connection, files)
    after = Counter((row.values, row.until) for row in stored(connection, ends=True))
    if after != Counter(lines):
        raise OSError("what was read back is not what was written")
    version = connection.execute(select(VERSION.c.version).where(VERSION.c.id == 1)).scalar_one()
    return Pushed(
        added=len(fresh), removed=len(gone), kept=len(lines) - len(fresh), files=changed, version=int(version)
    )


def _remove(connection: Connection, ids: list[int]) -> None:
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        connection.execute(delete(ENDS).where(ENDS.c.rule_id.in_(some)))
        connection.execute(delete(RULES).where(RULES.c.id.in_(some)))


def _add(connection: Connection, lines: list[_Line]) -> None:
    plain = [_columns(values) for values, until in lines if not until]
    for start in range(0, len(plain), _AT_ONCE):
        connection.execute(insert(RULES), plain[start : start + _AT_ONCE])
    for values, until in lines:
        if until:
            made = connection.execute(insert(RULES).values(_columns(values))).inserted_primary_key
            if made is None:
                raise OSError("the database gave no id")
            connection.execute(insert(ENDS).values(rule_id=made[0], until=until))


def _columns(values: tuple[str, ...]) -> dict[str, str | None]:
    kind, *others = values
    return {"ptype": kind} | dict.fromkeys(VALUES) | dict(zip(VALUES, others, strict=False))


def _replace_files(connection: Connection, files: Mapping[str, bytes]) -> tuple[str, ...]:
    before = {row.name: row.body for row in connection.execute(FILES.select())}
    changed = sorted(name for name in before.keys() | files.keys() if before.get(name) != files.get(name))
    if changed:
        connection.execute(delete(FILES).where(FILES.c.name.in_(changed)))
        new = [{"name": name, "body": files[name]} for name in changed if name in files]
        if new:
            connection.execute(insert(FILES), new)
    return tuple(changed)
