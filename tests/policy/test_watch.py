"""The watcher: an edit is live when it has come to rest, whatever way it was written."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from authz_sidecar.policy import watch as watching
from authz_sidecar.policy.outcomes import Applied, Outcome, Refused, Unchanged
from authz_sidecar.policy.store import PolicyStore
from authz_sidecar.policy.watch import watch
from tests.policy.plainly import LinearEngine, LinearPolicy, Told, make_store, shipped, write

BOB = b"g, user:bob, role:viewer\n"


@asynccontextmanager
async def watched(tmp_path: Path, **changes: object) -> AsyncIterator[tuple[PolicyStore, Told]]:
    told = Told()
    store = make_store(tmp_path, **({"tell": told} | changes))
    await store.load()
    told.outcomes.clear()
    task = asyncio.create_task(watch(store, interval=0.005, quiet=0.02))
    try:
        yield store, told
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def is_applied(outcome: Outcome) -> bool:
    return isinstance(outcome, Applied)


def is_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused)


def replace(directory: Path, name: str, data: bytes) -> None:
    write(directory, {f".{name}.new": data})
    (directory / f".{name}.new").rename(directory / name)


def swap_directory(directory: Path, name: str, data: bytes) -> None:
    fresh = write(directory.with_name("fresh"), shipped() | {name: data})
    directory.rename(directory.with_name("stale"))
    fresh.rename(directory)


def swap_symlink(directory: Path, name: str, data: bytes) -> None:
    link = directory / "..tmp"
    (directory / "..second").mkdir()
    write(directory / "..second", shipped() | {name: data})
    link.symlink_to("..second")
    link.rename(directory / "..data")


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda path, name, data: write(path, {name: data}), id="in place"),
        pytest.param(replace, id="by rename"),
        pytest.param(swap_directory, id="by another directory"),
        pytest.param(swap_symlink, id="by the symlink of a ConfigMap"),
    ],
)
async def test_an_edit_goes_live(tmp_path: Path, edit: object) -> None:
    policies = tmp_path / "policies"
    if edit is swap_symlink:
        write(policies / "..first", shipped())
        (policies / "..data").symlink_to("..first")
        for name in shipped():
            (policies / name).symlink_to(f"..data/{name}")
    else:
        write(policies, shipped())
    async with watched(tmp_path) as (store, told):
        edit(policies, "policy.csv", shipped()["policy.csv"] + BOB)  # type: ignore[operator]
        outcome = await told.until(is_applied)
        assert store.current.revision == outcome.revision
        assert store.status.memberships == 6


async def test_a_broken_edit_is_told_once_and_its_mending_as_well(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    async with watched(tmp_path) as (store, told):
        write(policies, {"policy.csv": b"broken"})
        await told.until(is_refused)
        assert store.status.stale
        write(policies, shipped())
        await told.until(lambda outcome: isinstance(outcome, Unchanged))
        assert not store.status.stale
        assert len(told.outcomes) == 2


async def test_a_directory_that_goes_and_comes_back_is_loaded_again(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    async with watched(tmp_path) as (store, told):
        policies.rename(tmp_path / "away")
        await told.until(is_refused)
        write(tmp_path / "away", {"policy.csv": shipped()["policy.csv"] + BOB})
        (tmp_path / "away").rename(policies)
        await told.until(is_applied)
        assert not store.status.stale


async def test_what_is_edited_without_a_rest_is_not_loaded(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    clock = iter(range(0, 1_000_000, 1))
    told = Told()
    store = make_store(tmp_path, tell=told)
    await store.load()
    watcher = watching._Watcher(store, 3.0, lambda: float(next(clock)))
    for size in range(20):
        write(policies, {"policy.csv": shipped()["policy.csv"] + b"\n" * (size + 1)})
        await watcher.look()
    assert len(told.outcomes) == 1
    for _ in range(10):
        await watcher.look()
    assert len(told.outcomes) == 2


async def test_a_load_by_hand_is_not_repeated(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    told = Told()
    store = make_store(tmp_path, tell=told)
    await store.load()
    clock = iter(range(1_000_000))
    watcher = watching._Watcher(store, 3.0, lambda: float(next(clock)))
    write(policies, {"policy.csv": shipped()["policy.csv"] + BOB})
    await watcher.look()
    await store.load()
    for _ in range(10):
        await watcher.look()
    assert len(told.outcomes) == 2


class Fickle(LinearEngine):
    """Breaks on demand with an error that nobody foresaw."""

    broken = False

    def compile(self, rules: object) -> LinearPolicy:
        if self.broken:
            raise RuntimeError("a bug")
        return super().compile(rules)  # type: ignore[arg-type]


async def test_the_watcher_outlives_errors_of_ours(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    engine = Fickle()
    async with watched(tmp_path, engine=engine) as (store, told):
        before = store.current
        engine.broken = True
        write(policies, {"policy.csv": shipped()["policy.csv"] + BOB})
        refused = await told.until(is_refused)
        assert "a bug" in str(refused)
        assert (store.current, store.failures, store.status.stale) == (before, 1, True)
        engine.broken = False
        write(policies, {"policy.csv": shipped()["policy.csv"] + BOB + BOB.replace(b"bob", b"bo")})
        await told.until(is_applied)
        assert not store.status.stale


async def test_the_watcher_outlives_a_listener_that_raises(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    heard = asyncio.Event()
    loud: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        loud.append(outcome)
        if len(loud) == 2:
            raise ValueError("the log is full")
        if len(loud) == 3:
            heard.set()
            raise ValueError("still full")

    async with watched(tmp_path, tell=tell) as (store, _):
        write(policies, {"policy.csv": shipped()["policy.csv"] + BOB})
        async with asyncio.timeout(10):
            await heard.wait()
        assert store.failures == 1


@pytest.mark.parametrize("mended", [True, False])
async def test_files_that_could_not_be_read_are_tried_again_without_an_edit(tmp_path: Path, mended: bool) -> None:
    """Too many open files: nothing about the files changes when it is over."""
    policies = write(tmp_path / "policies", shipped())
    told = Told()
    store = make_store(tmp_path, tell=told)
    clock = iter(range(1_000_000))
    (policies / "policy.csv").unlink()
    os.mkfifo(policies / "policy.csv")
    await store.load()
    assert store.unread
    if mended:
        (policies / "policy.csv").unlink()
        write(policies, shipped())
        store._seen = store.source.signature()
    watcher = watching._Watcher(store, 3.0, lambda: float(next(clock)))
    for _ in range(20):
        await watcher.look()
    assert [type(outcome) for outcome in told.outcomes] == [Refused, Applied] if mended else [Refused]
    assert store.unread is not mended
