"""The sample clients against the real sidecar: a minted token over socket and TCP, yes, no, and no answer."""

from collections.abc import Iterator

import pytest

from examples.demo import processes
from examples.demo.processes import Playground, free_port
from tests.clients import programs
from tests.process.grounds import playground, token

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

CALL = ("--server", "ops-assistant", "--method", "tools/call", "--tool")


@pytest.fixture(scope="module", params=["node", "go"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    build = {"node": programs.node, "go": programs.go}[request.param]
    return build(tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def tcp() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def ground(tcp: str) -> Iterator[Playground]:
    with playground(tcp=tcp) as found, processes.sidecar(found):
        yield found


@pytest.fixture(params=["unix socket", "tcp"])
def target(request: pytest.FixtureRequest, ground: Playground, tcp: str) -> str:
    return f"unix:{ground.socket}" if request.param == "unix socket" else tcp


@pytest.mark.parametrize(
    ("user", "tool", "code", "reason"),
    [
        pytest.param("alice", "create_ticket", 0, "REASON_ALLOWED_BY_RULE", id="allowed"),
        pytest.param("alice", "delete_ticket", 1, "REASON_NO_MATCHING_RULE", id="not allowed"),
        pytest.param("mallory", "list_tickets", 1, "REASON_DENIED_BY_RULE", id="denied"),
    ],
)
async def test_the_real_sidecar_answers(
    client: list[str], ground: Playground, target: str, user: str, tool: str, code: int, reason: str
) -> None:
    bearer = token(ground, user, "tickets:write")
    ended = await programs.run(client, "--target", target, *CALL, tool, AUTHZ_TOKEN=bearer)
    assert (ended.code, ended.said["allowed"], ended.said["reason"]) == (code, code == 0, reason)
    assert ended.said["decision_id"]
    assert ended.said["policy_revision"].startswith("sha256:")
    assert bearer not in ended.output


@pytest.mark.parametrize("bearer", ["no.good.token", "x"])
async def test_a_bad_token_is_a_no(client: list[str], target: str, bearer: str) -> None:
    ended = await programs.run(client, "--target", target, *CALL, "list_tickets", AUTHZ_TOKEN=bearer)
    assert (ended.code, ended.said["allowed"]) == (1, False)


async def test_a_token_that_the_command_minted_is_good(client: list[str], ground: Playground, target: str) -> None:
    minted = processes.mint(ground, "vera")
    ended = await programs.run(client, "--target", target, *CALL, "list_tickets", AUTHZ_TOKEN=minted)
    assert ended.code == 0


@pytest.mark.parametrize("where", ["unix socket", "tcp"])
async def test_a_sidecar_that_was_killed_is_no_answer(client: list[str], where: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    with playground(tcp=address) as ground:
        with processes.sidecar(ground) as sidecar:
            sidecar.kill()
            sidecar.wait(10)
        target = f"unix:{ground.socket}" if where == "unix socket" else address
        ended = await programs.run(client, "--target", target, *CALL, "list_tickets", AUTHZ_TOKEN=token(ground, "vera"))
    assert ended.code not in (0, 1)
    assert ended.said["allowed"] is False
