"""Edits as real tools make them, under a real running sidecar: each is live as a whole, or told and not live."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.demo import processes
from examples.demo.processes import Playground
from tests.process import commands
from tests.process.asking import allowed, becomes, status
from tests.process.grounds import playground, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

NOOR = "g, user:noor, role:support\n"


@pytest.fixture(scope="module")
def running() -> Iterator[Playground]:
    with playground() as ground, processes.sidecar(ground):
        yield ground


@pytest.fixture
def ground(running: Playground) -> Iterator[Playground]:
    """The running sidecar, by the shipped policy before and after."""
    yield running
    for name in ("policy.d", "policy.csv"):
        path = running.policies / name
        if path.is_dir():
            shutil.rmtree(path)
    shutil.copyfile(processes.ROOT / "policies/policy.csv", running.policies / "policy.csv")
    commands.run("policy", "reload", "--confirm", "--config", str(running.config))
    assert not allowed(running, "noor", "create_ticket")


def policy(ground: Playground) -> Path:
    return ground.policies / "policy.csv"


def by_rename(ground: Playground) -> None:
    """As vim, emacs and most editors save."""
    fresh = policy(ground).with_name(".policy.csv.swp")
    fresh.write_text(policy(ground).read_text() + NOOR)
    fresh.replace(policy(ground))


def by_backup(ground: Playground) -> None:
    """As vim saves with `backupcopy=no`: the old file moves away first."""
    text = policy(ground).read_text()
    policy(ground).rename(policy(ground).with_name("policy.csv~"))
    policy(ground).write_text(text + NOOR)


def by_sed(ground: Playground) -> None:
    subprocess.run(["sed", "-i", f"$ a {NOOR.strip()}", str(policy(ground))], check=True, timeout=10)


def in_place(ground: Playground) -> None:
    with policy(ground).open("a") as file:
        file.write(NOOR)


def in_pieces(ground: Playground) -> None:
    """A slow copy: what is there in between is cut in the middle of a row."""
    data = (policy(ground).read_text() + NOOR).encode()
    handle = os.open(policy(ground), os.O_WRONLY | os.O_TRUNC)
    for start in range(0, len(data), 97):
        os.write(handle, data[start : start + 97])
    os.close(handle)


def by_another_file(ground: Playground) -> None:
    (ground.policies / "policy.d").mkdir()
    (ground.policies / "policy.d/people.csv").write_text(NOOR)


def by_a_link(ground: Playground) -> None:
    elsewhere = ground.directory / "elsewhere.csv"
    elsewhere.write_text(policy(ground).read_text() + NOOR)
    policy(ground).unlink()
    policy(ground).symlink_to(elsewhere)


@pytest.mark.parametrize("edit", [by_rename, by_backup, by_sed, in_place, in_pieces, by_another_file, by_a_link])
def test_an_edit_of_a_real_tool_is_live(ground: Playground, edit: Callable[[Playground], None]) -> None:
    edit(ground)
    until(lambda: allowed(ground, "noor", "create_ticket"))
    assert not allowed(ground, "mallory", "lookup_inventory")
    assert status(ground)["stale"] is False


def test_a_half_written_file_waits_for_its_other_half(ground: Playground) -> None:
    whole = policy(ground).read_bytes()
    before = status(ground)["policy_revision"]
    policy(ground).write_bytes(whole[: len(whole) // 2 + 3])
    found = becomes(ground, lambda state: state["stale"])
    assert found["policy_revision"] == before
    assert not allowed(ground, "mallory", "lookup_inventory")
    policy(ground).write_bytes(whole + NOOR.encode())
    until(lambda: allowed(ground, "noor", "create_ticket"))


def test_a_deleted_file_is_told_and_the_last_good_policy_answers(ground: Playground) -> None:
    policy(ground).unlink()
    found = becomes(ground, lambda state: state["stale"])
    assert [problem["code"] for problem in found["problems"]] == ["missing"]
    assert allowed(ground, "alice", "create_ticket")
    assert not allowed(ground, "mallory", "lookup_inventory")


def test_a_broken_file_of_the_folder_is_named(ground: Playground) -> None:
    (ground.policies / "policy.d").mkdir()
    (ground.policies / "policy.d/10-people.csv").write_text(NOOR)
    (ground.policies / "policy.d/20-more.csv").write_text("g;user:eve;role:admin\n")
    found = becomes(ground, lambda state: state["stale"])
    assert [(problem["file"], problem["line"], problem["code"]) for problem in found["problems"]] == [
        ("policy.d/20-more.csv", 1, "other-separator")
    ]
    assert not allowed(ground, "noor", "create_ticket")
    (ground.policies / "policy.d/20-more.csv").unlink()
    until(lambda: allowed(ground, "noor", "create_ticket"))


def config_map(volume: Path, name: str, files: dict[str, bytes]) -> None:
    """Update a mounted ConfigMap as the kubelet does: a new directory, then one symlink swapped."""
    fresh = volume / f"..{name}"
    fresh.mkdir()
    for file, data in files.items():
        (fresh / file).write_bytes(data)
    (volume / "..data_tmp").symlink_to(fresh.name)
    old = (volume / "..data").readlink() if (volume / "..data").is_symlink() else None
    (volume / "..data_tmp").replace(volume / "..data")
    for file in files:
        if not (volume / file).is_symlink():
            (volume / file).symlink_to(f"..data/{file}")
    if old is not None:
        shutil.rmtree(volume / old)


def test_a_config_map_is_swapped_as_a_whole() -> None:
    with playground() as ground:
        files = {path.name: path.read_bytes() for path in ground.policies.iterdir()}
        shutil.rmtree(ground.policies)
        ground.policies.mkdir()
        config_map(ground.policies, "1", files)
        with processes.sidecar(ground):
            assert allowed(ground, "alice", "create_ticket")
            config_map(ground.policies, "2", files | {"policy.csv": files["policy.csv"] + NOOR.encode()})
            until(lambda: allowed(ground, "noor", "create_ticket"))
            live = status(ground)["policy_revision"]
            config_map(
                ground.policies, "3", files | {"policy.csv": files["policy.csv"].replace(b" deny\n", b" Deny\n")}
            )
            found = becomes(ground, lambda state: state["stale"])
            assert found["policy_revision"] == live
            assert [problem["code"] for problem in found["problems"]] == ["unknown-effect"]
            assert not allowed(ground, "mallory", "lookup_inventory")
            # Rights and tests change together: halves of two generations would be refused.
            tests = files["expectations.csv"] + b"user:noor, ops-assistant, tools/call, delete_ticket, , , allow\n"
            config_map(
                ground.policies,
                "4",
                files | {"policy.csv": files["policy.csv"] + b"g, user:noor, role:admin\n", "expectations.csv": tests},
            )
            until(lambda: allowed(ground, "noor", "delete_ticket"))
            assert status(ground)["stale"] is False
