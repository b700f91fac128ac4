"""The sample clients in Node.js and Go: same questions, same answers, same exit codes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import programs
from tests.clients.answers import REVISION, TOKEN, serving
from tests.clients.programs import Ended

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

CALL = ("--method", "tools/call", "--tool")


@pytest.fixture(scope="session", params=["node", "go"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the command of one client, built once."""
    build = {"node": programs.node, "go": programs.go}[request.param]
    return build(tmp_path_factory.mktemp(request.param))


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give a private directory with a name short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="authz"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(params=["unix socket", "tcp"])
def address(request: pytest.FixtureRequest, directory: Path) -> str:
    return f"unix:{directory}/authz.sock" if request.param == "unix socket" else "127.0.0.1:0"


@pytest.mark.parametrize(
    ("tool", "code", "said"),
    [
        pytest.param(
            "create_ticket",
            0,
            {
                "allowed": True,
                "reason": "REASON_ALLOWED_BY_RULE",
                "message": "allowed",
                "decision_id": "d-1",
                "policy_revision": REVISION,
            },
            id="allowed",
        ),
        pytest.param(
            "delete_ticket",
            1,
            {
                "allowed": False,
                "reason": "REASON_DENIED_BY_RULE",
                "message": "not permitted",
                "decision_id": "d-2",
                "policy_revision": REVISION,
            },
            id="denied",
        ),
        pytest.param(
            "nothing",
            1,
            {
                "allowed": False,
                "reason": "REASON_UNSPECIFIED",
                "message": "",
                "decision_id": "",
                "policy_revision": "",
            },
            id="an empty answer is a no",
        ),
    ],
)
async def test_an_answer_is_printed_and_is_the_exit_code(
    client: list[str], address: str, tool: str, code: int, said: dict[str, object]
) -> None:
    async with serving(address) as (table, target):
        ended = await programs.run(
            client, "--target", target, "--server", "ops-assistant", *CALL, tool, AUTHZ_TOKEN=TOKEN
        )
    assert (ended.code, ended.said) == (code, said)
    (asked,) = table.asked
    assert (asked.token, asked.server, asked.method, asked.tool) == (TOKEN, "ops-assistant", "tools/call", tool)


@pytest.mark.parametrize(
    ("tool", "error"),
    [
        pytest.param("slow", "DEADLINE_EXCEEDED", id="no answer in time"),
        pytest.param("unheard of", "INVALID_ARGUMENT", id="the question is out of bounds"),
    ],
)
async def test_no_answer_is_a_no(client: list[str], address: str, tool: str, error: str) -> None:
    async with serving(address) as (_, target):
        ended = await programs.run(client, "--target", target, "--timeout-ms", "1000", *CALL, tool, AUTHZ_TOKEN=TOKEN)
    _is_unanswered(ended, error)


async def test_a_sidecar_that_is_down_is_a_no(client: list[str], directory: Path) -> None:
    ended = await programs.run(
        client, "--target", f"unix:{directory}/authz.sock", *CALL, "create_ticket", AUTHZ_TOKEN=TOKEN
    )
    _is_unanswered(ended, "UNAVAILABLE")


async def test_the_token_is_read_from_a_file(client: list[str], directory: Path) -> None:
    file = directory / "token"
    file.write_text(f"{TOKEN}\n")
    async with serving(f"unix:{directory}/authz.sock") as (table, target):
        ended = await programs.run(client, "--target", target, "--token-file", str(file), *CALL, "create_ticket")
    assert ended.code == 0
    assert [asked.token for asked in table.asked] == [TOKEN]


async def test_a_proxy_of_the_environment_never_sees_the_token(client: list[str], directory: Path) -> None:
    async with serving("127.0.0.1:0") as (_, target):
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "HTTPS_PROXY"), "http://127.0.0.1:1")
        ended = await programs.run(client, "--target", target, *CALL, "create_ticket", AUTHZ_TOKEN=TOKEN, **proxies)
    assert ended.code == 0


@pytest.mark.parametrize(
    ("args", "told"),
    [
        pytest.param(["--target", "203.0.113.7:50051", *CALL, "t"], "203.0.113.7:50051", id="target beyond loopback"),
        pytest.param(
            ["--target", "127.0.0.1.example:50051", *CALL, "t"], "loopback", id="target that looks like loopback"
        ),
        pytest.param(["--target", "unix-abstract:authz", *CALL, "t"], "loopback", id="socket that has no directory"),
        pytest.param([*CALL, "t"], "--target is missing", id="no target"),
        pytest.param(["--target", "127.0.0.1:1"], "--method is missing", id="no method"),
        pytest.param(["--target", "127.0.0.1:1", *CALL, "t", "--timeout-ms", "0"], "--timeout-ms", id="no time"),
        pytest.param(["--target", "127.0.0.1:1", *CALL, "t", "--timeout-ms", "1e3"], "timeout-ms", id="odd time"),
        pytest.param(["--target", "127.0.0.1:1", *CALL, "t", "--token", "x"], "token", id="token as an argument"),
        pytest.param(["--target", "127.0.0.1:1", *CALL, "t", "more"], "more", id="one argument too many"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_a_no(client: list[str], args: list[str], told: str) -> None:
    ended = await programs.run(client, *args, AUTHZ_TOKEN=TOKEN)
    _is_unanswered(ended, "NOT_ASKED")
    assert told in ended.said["message"]


async def test_a_question_without_a_token_is_not_asked(client: list[str]) -> None:
    ended = await programs.run(client, "--target", "127.0.0.1:1", *CALL, "t")
    _is_unanswered(ended, "NOT_ASKED")
    assert "set AUTHZ_TOKEN" in ended.said["message"]


@pytest.fixture
def open_directory(directory: Path) -> Path:
    directory.chmod(0o777)
    return directory


async def test_a_socket_where_others_may_write_gets_no_token(client: list[str], open_directory: Path) -> None:
    async with serving(f"unix:{open_directory}/authz.sock") as (table, target):
        ended = await programs.run(client, "--target", target, *CALL, "create_ticket", AUTHZ_TOKEN=TOKEN)
    _is_unanswered(ended, "NOT_ASKED")
    assert "0700" in ended.said["message"]
    assert not table.asked


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (programs.ROOT / "examples/clients/node/package-lock.json").read_text()


def _is_unanswered(ended: Ended, error: str) -> None:
    assert (ended.code, ended.said["allowed"], ended.said["error"]) == (2, False, error)
    assert ended.said["reason"] == "REASON_UNSPECIFIED"
    assert ended.said["message"]
    assert TOKEN not in ended.output
