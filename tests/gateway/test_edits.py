"""An edit of the gateway's file is live, or told and without effect."""

import asyncio
from pathlib import Path

import pytest

from tests.gateway.standing import STATUS, STREAM, Recording, asking, call, config, gateway, running


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def streaming(send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": STREAM})
    await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
    await asyncio.Event().wait()


async def test_an_edit_is_live_and_leaves_alone_what_it_does_not_touch(tmp_path, sidecar, server, upstream):
    server.answering = streaming
    second = Recording()
    path = config(tmp_path, sidecar, upstream)
    async with running(second) as other, gateway(path) as front, asking(front) as http:
        assert not await front.refresh()
        async with http.stream("POST", "/mcp", content=call()) as answer:
            pieces = answer.aiter_raw()
            assert await anext(pieces) == b": hello\n\n"
            edit(path, "[audit]", f'[[servers]]\nname = "two"\npath = "/two"\nurl = "{other}/mcp"\n[audit]')
            assert await front.refresh()
            assert (await http.post("/two", content=call())).status_code == 200
            assert front.app.plan.servers["/mcp"].proxy.streams == 1  # as before
            edit(path, 'path = "/mcp"', 'path = "/one"')
            assert await front.refresh()
            async with asyncio.timeout(10):
                assert [piece async for piece in pieces] == []  # its server is another now, so it ended, whole
        assert (await http.post("/mcp", content=call())).status_code == 404
        server.answering = None
        assert (await http.post("/one", content=call())).status_code == 200
    assert len(second.bodies) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("public_url", "public_ulr", "did you mean `public_url`?", id="a key that is none"),
        pytest.param('"/mcp"', '"mcp"', "is not a plain path", id="a value that cannot be meant"),
        pytest.param("audit.jsonl", "other.jsonl", "change only at a restart", id="what only a restart changes"),
        pytest.param(
            'path = "/mcp"', 'path = "/mcp"\ncredential_file = "gone"', "gone: No such", id="a file that is gone"
        ),
    ],
)
async def test_an_edit_that_is_wrong_is_told_once_and_changes_nothing(
    tmp_path, sidecar, upstream, caplog, old, new, said
):
    path = config(tmp_path, sidecar, upstream, STATUS)
    good = path.read_text()
    async with gateway(path) as front, asking(front) as http:
        edit(path, old, new)
        for _ in range(2):
            assert not await front.refresh()
        assert caplog.text.count(said) == 1
        assert (await http.post("/mcp", content=call())).status_code == 200
        assert (
            b"authz_gateway_config_stale 1.0" in (await http.get(f"{front.status_url}/metrics", headers=LOCAL)).content
        )
        path.write_text(good + "\n")
        assert await front.refresh()
        assert (
            b"authz_gateway_config_stale 0.0" in (await http.get(f"{front.status_url}/metrics", headers=LOCAL)).content
        )


LOCAL = {"host": "localhost"}


async def test_an_edit_is_found_by_watching(tmp_path, sidecar, upstream):
    path = config(tmp_path, sidecar, upstream)
    async with gateway(path) as front, asking(front) as http:
        watching = asyncio.create_task(front.watch(0.01))
        edit(path, 'path = "/mcp"', 'path = "/new"')
        async with asyncio.timeout(10):
            while (await http.post("/new", content=call())).status_code != 200:
                pass
        watching.cancel()
        await asyncio.wait({watching})


async def test_the_watcher_outlives_what_it_did_not_expect(tmp_path, sidecar, upstream, caplog):
    async with gateway(config(tmp_path, sidecar, upstream)) as front:
        seen = asyncio.Event()

        async def breaking(_):
            seen.set()
            raise LookupError("unexpected")

        front.app.serve = breaking
        watching = asyncio.create_task(front.watch(0.01))
        edit(tmp_path / "gateway.toml", "[audit]", "\n[audit]")
        async with asyncio.timeout(10):
            await seen.wait()
            await asyncio.sleep(0)
        assert not watching.done()
        watching.cancel()
        await asyncio.wait({watching})
    assert "gateway_refresh_failed" in caplog.text
