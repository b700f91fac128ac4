"""A push is whole or not at all, of what was looked at, and of what the table can hold."""

from collections.abc import Mapping

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from authz_sidecar.errors import PolicyProblems
from authz_sidecar.policy.connect import Address, engine
from authz_sidecar.policy.database import Database
from authz_sidecar.policy.push import push
from authz_sidecar.policy.stored import ROWS
from tests.database.shared import NOOR_ENDS, more, one, one_version
from tests.policy.plainly import shipped


@pytest.mark.parametrize(
    ("files_", "says"),
    [
        pytest.param({"policy.csv": b"p, role:a, *, *, " + b"t" * 256 + b", allow\n"}, "256 characters", id="too long"),
        pytest.param({"policy.csv": b"p, a, b, c, d, e, f, g\n"}, "has 7 fields", id="too many fields"),
        pytest.param({"policy.csv": b'p, "a\n'}, "not closed", id="a broken line"),
    ],
)
def test_what_the_table_cannot_hold_is_not_pushed(where: Address, files_: dict[str, bytes], says: str) -> None:
    push(where, shipped())
    version = one_version(where)
    with pytest.raises(PolicyProblems, match=says):
        push(where, files_)
    assert one_version(where) == version


def test_a_push_that_fails_in_the_middle_changes_nothing(where: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    from authz_sidecar.policy import push as pushing

    push(where, shipped())
    before = Database(where)
    content, version = before.read(), one_version(where)

    def fail(connection: Connection, files: object) -> tuple[str, ...]:
        raise OSError("the disk is full")

    monkeypatch.setattr(pushing, "_replace_files", fail)
    with pytest.raises(PolicyProblems, match="nothing has changed: the disk is full"):
        push(where, more(policy=b"g, user:noor, role:admin\n"))
    assert before.read() == content
    assert one_version(where) == version
    before.close()


def test_what_is_looked_at_is_what_is_replaced_and_nobody_writes_meanwhile(where: Address) -> None:
    push(where, shipped())
    seen: list[bool] = []

    def look(before: Mapping[str, bytes]) -> None:
        seen.append(b"user:mallory" in before[ROWS])
        with pytest.raises(OperationalError):
            write_at_once(where)

    assert push(where, more(policy=NOOR_ENDS), look).added == 1
    assert seen == [True]
    write_at_once(where)


def test_who_looks_and_refuses_leaves_everything_as_it_was(where: Address) -> None:
    push(where, shipped())
    before = one(where, "SELECT count(*) FROM casbin_rule"), one_version(where)

    class Enough(Exception):
        pass

    def look(_before: Mapping[str, bytes]) -> None:
        raise Enough

    with pytest.raises(Enough):
        push(where, more(policy=NOOR_ENDS), look)
    assert (one(where, "SELECT count(*) FROM casbin_rule"), one_version(where)) == before


def write_at_once(where: Address) -> None:
    """Write without waiting for anybody."""
    database = engine(where, writes=True)
    with database.connect() as connection:
        plain = connection.execution_options(isolation_level="AUTOCOMMIT")
        plain.exec_driver_sql("SET lock_timeout = 100" if where.postgresql else "PRAGMA busy_timeout = 0")
        try:
            plain.exec_driver_sql("UPDATE casbin_rule SET v0 = v0")
        finally:
            connection.close()
            database.dispose()
