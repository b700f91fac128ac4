"""Several real sidecars on one database: an edit reaches all, a bad one none, and an outage is outlived."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from authz_sidecar.policy.connect import Address, address
from examples.demo import processes
from examples.demo.processes import Playground
from tests.database.shared import change
from tests.database.stores import Cluster
from tests.process import commands
from tests.process.asking import allowed, becomes, status
from tests.process.grounds import playground, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

NOOR = "g, user:noor, role:support\n"


@dataclass(frozen=True)
class Fleet:
    where: Address
    sidecars: tuple[Playground, ...]

    def push(self, *arguments: str) -> str:
        one = self.sidecars[0]
        return commands.run("policy", "push", str(one.policies), "--config", str(one.config), *arguments)

    def allowed(self, user: str, tool: str) -> list[bool]:
        return [allowed(one, user, tool) for one in self.sidecars]


@contextmanager
def fleet(url: str, where: Address) -> Iterator[Fleet]:
    """Two sidecars, each with a home of its own, on a database that holds the shipped policy."""
    with ExitStack() as stack:
        homes = tuple(stack.enter_context(playground()) for _ in range(2))
        for home in homes:
            config = home.config.read_text().replace("[policy]\n", f'[policy]\ndatabase = "{url}"\n')
            home.config.write_text(config)
        made = Fleet(where, homes)
        assert "rows added" in made.push()
        for home in homes:
            stack.enter_context(processes.sidecar(home))
        yield made


@pytest.fixture
def shared(where: Address) -> Iterator[Fleet]:
    url = where.url.render_as_string(hide_password=False)
    with fleet(url if where.postgresql else f"sqlite:///{where.url.database}", where) as made:
        yield made


def test_an_edit_reaches_every_sidecar_and_a_bad_one_none(shared: Fleet) -> None:
    assert shared.allowed("alice", "create_ticket") == [True, True]
    policy = shared.sidecars[0].policies / "policy.csv"
    policy.write_text(policy.read_text() + NOOR)
    assert '"ok": false' in shared.push("--require-no-new-grants", "--json")
    assert shared.allowed("noor", "create_ticket") == [False, False]
    shared.push()
    until(lambda: shared.allowed("noor", "create_ticket") == [True, True])
    assert len({status(one)["policy_revision"] for one in shared.sidecars}) == 1
    change(shared.where, "UPDATE casbin_rule SET v4 = 'Deny' WHERE v0 = 'user:mallory'")
    for one in shared.sidecars:
        found = becomes(one, lambda state: state["stale"])
        assert [problem["file"] for problem in found["problems"]] == ["casbin_rule:id 1"]
    assert shared.allowed("mallory", "lookup_inventory") == [False, False]
    policy.write_text(policy.read_text().removesuffix(NOOR))
    shared.push()
    until(lambda: shared.allowed("noor", "create_ticket") == [False, False])
    assert not any(status(one)["stale"] for one in shared.sidecars)


@pytest.mark.postgres
def test_an_outage_is_said_and_outlived(postgresql: Cluster, tmp_path: Path) -> None:
    url = postgresql.fresh("outage")
    with fleet(url, address(url, base=tmp_path)) as made:
        postgresql.stop()
        try:
            for one in made.sidecars:
                found = becomes(one, lambda state: state["stale"])
                assert [problem["code"] for problem in found["problems"]] == ["unreachable"]
            assert made.allowed("alice", "create_ticket") == [True, True]
            assert made.allowed("mallory", "lookup_inventory") == [False, False]
        finally:
            postgresql.start()
        for one in made.sidecars:
            becomes(one, lambda state: not state["stale"])
        policy = made.sidecars[0].policies / "policy.csv"
        policy.write_text(policy.read_text() + NOOR)
        made.push()
        until(lambda: made.allowed("noor", "create_ticket") == [True, True])


@pytest.mark.postgres
def test_the_password_comes_from_a_file(postgresql: Cluster, tmp_path: Path) -> None:
    """The cluster asks for none; what counts is that the file is read and never said."""
    url = postgresql.fresh("secret")
    with playground() as ground:
        (ground.directory / "password").write_text("pa55w0rd-canary\n")
        section = f'[policy]\ndatabase = "{url}"\ndatabase_password_file = "password"\n'
        ground.config.write_text(ground.config.read_text().replace("[policy]\n", section))
        commands.run("policy", "push", str(ground.policies), "--config", str(ground.config))
        with processes.sidecar(ground):
            assert allowed(ground, "alice", "create_ticket")
        logged = "".join(path.read_text() for path in ground.directory.rglob("*.log"))
        assert "pa55w0rd-canary" not in logged + (ground.decisions.read_text())
