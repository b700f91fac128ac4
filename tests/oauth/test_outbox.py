"""What the sidecars are told, and when."""

import asyncio
from pathlib import Path

import pytest

from authz_sidecar.errors import BadRequest, NotReady
from authz_sidecar.oauth.core import Core
from authz_sidecar.revocation import Kind, Receipt, Revocation
from tests.oauth.world import Sidecar, World, world


async def _revoked(made: World) -> str:
    told = await made.granted()
    grant_id = str(made.claims(told["access_token"])["grant_id"])
    await made.core.grants.revoke(grant_id, "withdrawn")
    return grant_id


async def test_a_sidecar_that_is_down_learns_later_and_nothing_twice(tmp_path: Path) -> None:
    up, down = Sidecar(), Sidecar(fails=NotReady("nobody answers"))
    async with world(tmp_path, targets={"up": up, "down": down}) as made:
        await made.add()
        ids = [await _revoked(made) for _ in range(3)]
        assert sorted(one.value for one in up.heard) == sorted(ids)
        assert await made.core.outbox.waiting() == {"up": 0, "down": 3}
        down.fails = None
        assert await made.core.outbox.flush()
        assert sorted(one.value for one in down.heard) == sorted(ids)
        assert len(up.heard) == 3
        assert up.heard[0].issuer == made.settings.issuer
        assert up.heard[0].ends is not None
        assert up.heard[0].ends > made.now() + made.settings.access_seconds


async def test_a_sidecar_that_refuses_holds_up_nothing_and_nothing_is_lost(tmp_path: Path) -> None:
    class Picky(Sidecar):
        async def revoke(self, entry: Revocation) -> Receipt:
            if entry.kind is Kind.FAMILY:
                raise BadRequest("the issuer has no `family_claim`")
            return await super().revoke(entry)

    picky = Picky()
    async with world(tmp_path, targets={"picky": picky}) as made:
        await made.add()
        await _revoked(made)
        await made.core.grants.revoke_all("alice", "person_disabled")
        assert [one.kind for one in picky.heard] == [Kind.SUBJECT]
        assert await made.core.outbox.waiting() == {"picky": 1}
        assert not await made.core.outbox.flush()
        made.now.now += 10_000
        assert await made.core.outbox.flush()
        assert len(picky.heard) == 1


async def test_a_sidecar_that_hangs_makes_nobody_wait_for_long(tmp_path: Path) -> None:
    class Hanging(Sidecar):
        async def revoke(self, entry: Revocation) -> Receipt:
            await asyncio.Event().wait()
            raise AssertionError("never")

    async with world(tmp_path, targets={"hanging": Hanging()}) as made:
        made.core.outbox._patience = 0.05
        await made.add()
        async with asyncio.timeout(10):
            await _revoked(made)
        assert await made.core.outbox.waiting() == {"hanging": 1}


async def test_the_server_tells_by_itself_who_is_back(tmp_path: Path) -> None:
    sidecar = Sidecar(fails=NotReady("nobody answers"))
    async with world(tmp_path, targets={"sidecar": sidecar}) as made:
        made.core.outbox._pauses = (0.01, 0.01, 0.01, 0.01)
        await made.add()
        await _revoked(made)
        running = asyncio.create_task(made.core.run())
        sidecar.fails = None
        async with asyncio.timeout(10):
            await sidecar.hears.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_what_was_to_be_told_outlives_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/same.db"
    first, second = Sidecar(fails=NotReady("nobody answers")), Sidecar()
    async with world(tmp_path, url=url, targets={"sidecar": first}) as made:
        await made.add()
        grant_id = await _revoked(made)
    async with world(tmp_path, url=url, targets={"sidecar": second}) as again:
        assert isinstance(again.core, Core)
        assert await again.core.outbox.flush()
        assert [one.value for one in second.heard] == [grant_id]
