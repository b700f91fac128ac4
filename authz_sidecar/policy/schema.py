"""The tables of a policy that a fleet shares: Casbin's own, and beside it what Casbin has no place for."""

from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, MetaData, String, Table

LONGEST: Final = 255
"""Characters that a value may have, as Casbin's SQLAlchemy adapter makes the table."""
VALUES: Final = ("v0", "v1", "v2", "v3", "v4", "v5")
CHANNEL: Final = "authz_policy"
"""On which PostgreSQL tells that something changed."""

_metadata: Final = MetaData()

RULES: Final = Table(
    "casbin_rule",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("ptype", String(LONGEST)),
    *(Column(name, String(LONGEST)) for name in VALUES),
)
"""The layout of Casbin's SQLAlchemy adapter, so that other programs can use the table as they do."""

ENDS: Final = Table(
    "authz_until",
    _metadata,
    Column("rule_id", Integer, primary_key=True, autoincrement=False),
    Column("until", String(40), nullable=False),
)
"""When a row of `casbin_rule` ends."""

FILES: Final = Table(
    "authz_file",
    _metadata,
    Column("name", String(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The files beside `policy.csv`: scopes, expectations, model."""

VERSION: Final = Table(
    "authz_version",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)
"""One row, counted up by triggers at every change of the other tables, whoever makes it."""

_WATCHED: Final = (RULES.name, ENDS.name, FILES.name)
_COUNT_UP: Final = f"UPDATE {VERSION.name} SET version = version + 1 WHERE id = 1;"  # noqa: S608 - our own name


def create(connection: Connection) -> None:
    """Make what is missing; nothing that exists is touched."""
    _metadata.create_all(connection)
    found = connection.execute(VERSION.select()).first()
    if found is None:
        connection.execute(VERSION.insert().values(id=1, version=0))
    statements = _postgresql() if connection.dialect.name == "postgresql" else _sqlite()
    for statement in statements:
        connection.exec_driver_sql(statement)


def _sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_{verb.lower()}_counted AFTER {verb} ON {table} BEGIN {_COUNT_UP} END"
        for table in _WATCHED
        for verb in ("INSERT", "UPDATE", "DELETE")
    ]


def _postgresql() -> list[str]:
    function = (
        f"CREATE OR REPLACE FUNCTION authz_counted() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {_COUNT_UP} PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL; END $$"
    )
    triggers = [
        f"CREATE OR REPLACE TRIGGER {table}_counted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION authz_counted()"
        for table in _WATCHED
    ]
    return [function, *triggers]
