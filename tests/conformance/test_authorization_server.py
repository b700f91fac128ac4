"""The conformance suite against our authorization server, with a person who logs in and says yes."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from examples.demo.processes import free_port
from tests.conformance import suite
from tests.matrix import environments, person
from tests.oauth.town import AUDIENCE, PASSWORD, Town, town

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

_WAIT = 60.0


@pytest.fixture(scope="module")
def place() -> Iterator[Town]:
    with town() as made, made.oauth():
        yield made


def _register(place: Town, callback: str) -> str:
    told = httpx2.post(
        f"{place.url}/register",
        json={"redirect_uris": [callback], "token_endpoint_auth_method": "none", "client_name": "conformance"},
        timeout=20,
    )
    assert told.status_code == 201, told.text
    return str(told.json()["client_id"])


async def _run(place: Town, out: Path, *options: str) -> tuple[int, str]:
    """Run the suite; where it asks somebody to open a page, a person does."""
    program = environments.node(suite.HERE / "node") / ".bin" / "conformance"
    process = await asyncio.create_subprocess_exec(
        *(str(environments.new_node()), str(program), "authorization", "--url", place.url, "-o", str(out), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(_WAIT):
            async for line in process.stdout:
                said += line.decode()
                if page := re.search(re.escape(place.url) + r"/authorize\?\S+", line.decode()):
                    await asyncio.to_thread(person.visit, page[0], "alice", PASSWORD)
            return await process.wait(), said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _statuses(out: Path) -> dict[str, str]:
    return {check: status for (_, check, _), status in suite.read(out).items()}


async def test_its_metadata_is_as_the_specification_wants(place: Town, tmp_path: Path) -> None:
    code, said = await _run(place, tmp_path, "--scenario", "authorization-server-metadata-endpoint")
    assert code == 0, said
    assert set(_statuses(tmp_path).values()) == {"SUCCESS"}, said


async def test_a_code_becomes_a_token_as_the_specification_wants(
    place: Town, tmp_path: Path, conformance_table: list[str]
) -> None:
    port = free_port()
    client = _register(place, f"http://127.0.0.1:{port}/callback")
    options = ("--client-id", client, "--resource", AUDIENCE, "--port", str(port))
    code, said = await _run(place, tmp_path, *options)
    statuses = _statuses(tmp_path)
    passed = sum(status == "SUCCESS" for status in statuses.values())
    conformance_table.append(f"authorization server     passed {passed} of {len(statuses)}  exit {code}")
    assert code == 0, said
    assert len(statuses) >= 2
    assert set(statuses.values()) == {"SUCCESS"}, said
