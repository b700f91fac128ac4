"""Casbin's own adapter reads what we push, and we read what it wrote."""

from contextlib import suppress
from pathlib import Path

import casbin
import casbin_sqlalchemy_adapter

from authz_sidecar.policy.connect import Address, engine
from authz_sidecar.policy.database import Database
from authz_sidecar.policy.outcomes import Applied, Refused
from authz_sidecar.policy.push import push
from tests.policy.plainly import MODEL, Told, allowed, make_store, shipped


def test_stock_casbin_reads_what_was_pushed(where: Address, tmp_path: Path) -> None:
    push(where, shipped())
    (tmp_path / "model.conf").write_bytes(MODEL)
    database = engine(where)
    enforcer = casbin.Enforcer(
        str(tmp_path / "model.conf"), casbin_sqlalchemy_adapter.Adapter(database, create_all_models=False)
    )
    enforcer.add_function("match", lambda key, pattern: pattern in ("*", key))
    assert enforcer.enforce("user:alice", "ops-assistant", "tools/call", "create_ticket")
    assert not enforcer.enforce("user:vera", "ops-assistant", "tools/call", "create_ticket")
    assert not enforcer.enforce("user:mallory", "ops-assistant", "tools/call", "lookup_inventory")
    database.dispose()


async def test_what_stock_casbin_wrote_is_read_beside_a_directory(where: Address, tmp_path: Path) -> None:
    """Nobody ever pushed: no version, no triggers, scopes and expectations from files."""
    database = engine(where, writes=True)
    adapter = casbin_sqlalchemy_adapter.Adapter(database)
    with suppress(casbin_sqlalchemy_adapter.adapter.sqlalchemy.exc.SQLAlchemyError):
        adapter.add_policy("p", "p", ["role:a", "ops-assistant", "tools/call", "x", "allow"])
        adapter.add_policy("g", "g", ["user:alice", "role:a"])
    beside = tmp_path / "policies"
    beside.mkdir()
    (beside / "scopes.csv").write_bytes(shipped()["scopes.csv"])
    source = Database(where, beside)
    shared = make_store(tmp_path, tell=Told(), source=source)
    assert isinstance(await shared.load(), Applied)
    assert await allowed(shared, "user:alice", "x")
    assert len(shared.current.rules.scopes) == 1
    before = source.signature()
    assert source.signature() == before
    adapter.add_policy("p", "p", ["user:alice", "*", "*", "*", "deny"])
    assert source.signature() != before
    await shared.load()
    assert not await allowed(shared, "user:alice", "x")
    (beside / "policy.csv").write_text("# rows that would seem to be in force\n")
    outcome = await shared.load()
    assert isinstance(outcome, Refused)
    assert outcome.problems[0].code == "not-read"
    source.close()
    database.dispose()
