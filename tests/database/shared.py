"""A store whose policy is in a database, and changes that anybody could make there."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from authz_sidecar.policy.connect import Address, engine, transaction
from authz_sidecar.policy.database import Database
from authz_sidecar.policy.outcomes import StoreStatus
from authz_sidecar.policy.store import PolicyStore
from tests.policy.plainly import Told, make_store, shipped

NOOR_ENDS = b"# until 2027-01-31\ng, user:noor, role:support\n"


def store(home: Path, where: Address, **changes: object) -> PolicyStore:
    return make_store(home, tell=Told(), source=Database(where), **changes)


def closed(shared: PolicyStore) -> None:
    assert isinstance(shared.source, Database)
    shared.source.close()


def change(where: Address, *statements: str) -> None:
    """Change the tables as anybody may who has a client."""
    database = engine(where, writes=True)
    with transaction(database) as connection:
        for statement in statements:
            connection.execute(text(statement))
    database.dispose()


def one(where: Address, statement: str) -> object:
    database = engine(where)
    with database.connect() as connection:
        found = connection.execute(text(statement)).scalar()
    database.dispose()
    return found


def more(**others: bytes) -> dict[str, bytes]:
    found = shipped()
    for name, data in others.items():
        found[f"{name}.csv"] = found.get(f"{name}.csv", b"") + data
    return found


def one_version(where: Address) -> int:
    version = one(where, "SELECT version FROM authz_version")
    assert isinstance(version, int)
    return version


async def becomes(shared: PolicyStore, look: Callable[[StoreStatus], bool]) -> None:
    async with asyncio.timeout(10):
        async for state in shared.changes():
            if look(state):
                return
