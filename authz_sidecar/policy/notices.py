"""Hears from PostgreSQL that somebody changed the policy."""

import asyncio
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo

from authz_sidecar.policy.connect import SECONDS, Address
from authz_sidecar.policy.schema import CHANNEL

_AGAIN: Final = 1.0


async def hear(where: Address, wake: asyncio.Event) -> None:
    """Set `wake` at each notice, and whenever some may have been missed; ends only when cancelled.

    A notice is a hint: the watcher looks by itself as well, so a lost connection costs a second and nothing else.
    """
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(
                await asyncio.to_thread(_conninfo, where), autocommit=True
            )
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                wake.set()
                async for _ in connection.notifies():
                    wake.set()
        except (psycopg.Error, OSError):
            pass  # the watcher meets the same database, and tells
        await asyncio.sleep(_AGAIN)


def _conninfo(where: Address) -> str:
    url = where.url
    query = {key: value if isinstance(value, str) else ",".join(value) for key, value in url.query.items()}
    port = None if url.port is None else str(url.port)
    known = {"host": url.host, "port": port, "user": url.username, "dbname": url.database}
    if where.password is not None:
        known["password"] = where.password()
    settings = {key: value for key, value in known.items() if value is not None} | query
    return make_conninfo(**settings, connect_timeout=str(SECONDS), application_name="authz-sidecar")
