"""The Java of docs/clients.md compiles against the one `.proto`, asks a live sidecar, and fails closed."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.clients import programs
from tests.clients.answers import TOKEN, serving

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

HERE: Final = Path(__file__).parent / "java"
_ONCE: Final = "// … once; then for each request:\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the command of the program that the page's snippets make."""
    programs.need("mvn", "java")
    home = tmp_path_factory.mktemp("java")
    text = (HERE / "Page.java").read_text()
    for mark, code in _snippets((programs.ROOT / "docs" / "clients.md").read_text()).items():
        text = text.replace(mark, code)
    source = home / "src" / "main" / "java"
    source.mkdir(parents=True)
    (source / "Page.java").write_text(text)
    shutil.copy(HERE / "pom.xml", home)
    proto = programs.ROOT / "proto"
    programs.build(["mvn", "--batch-mode", "--quiet", f"-Dproto={proto}", "prepare-package"], home)
    return ["java", "-cp", f"{home}/target/classes:{home}/target/lib/*", "Page"]


def _snippets(page: str) -> dict[str, str]:
    first, unix = re.findall(r"```java\n(.*?)```", page, re.DOTALL)
    tcp, ask = first.split(_ONCE)
    changed = {
        "@TCP@": tcp.replace("50051", "port"),
        "@UNIX@": unix.replace('"/run/authz/authz.sock"', "path"),
        "@ASK@": ask.replace('"create_ticket"', "tool"),
    }
    assert all(word in changed[mark] for mark, word in (("@TCP@", "port"), ("@UNIX@", "path"), ("@ASK@", "tool")))
    return changed


@pytest.fixture(params=["unix socket", "tcp"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    path = Path(tempfile.mkdtemp(prefix="authz"))
    yield f"unix:{path}/authz.sock" if request.param == "unix socket" else "127.0.0.1:0"
    shutil.rmtree(path)


async def _said(program: list[str], *arguments: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *program,
        *arguments,
        env={
            **os.environ,
            "AUTHZ_TOKEN": TOKEN,
            "http_proxy": "http://127.0.0.1:1",
            "https_proxy": "http://127.0.0.1:1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):  # a machine that is new to Java, and busy
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0
    return output.decode().splitlines()


async def test_only_what_is_allowed_is_allowed(program: list[str], address: str) -> None:
    async with serving(address) as (table, target):
        # The first calls of a new Java process may take longer than the second that the page gives them.
        said = await _said(program, target, *["create_ticket"] * 8, "delete_ticket", "nothing", "unheard-of", "slow")
    assert "create_ticket true" in said
    assert said[8:] == ["delete_ticket false", "nothing false", "unheard-of false", "slow false"]
    assert {(asked.token, asked.method) for asked in table.asked} == {(TOKEN, "tools/call")}


async def test_a_sidecar_that_is_down_is_a_no(program: list[str]) -> None:
    assert await _said(program, "127.0.0.1:1", "create_ticket") == ["create_ticket false"]
