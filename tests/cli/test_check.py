"""`check`: one question to a running sidecar, from any source of tokens, with its exit code."""

import json
from pathlib import Path

import pytest

from examples.demo import processes
from examples.demo.processes import Playground, free_port
from tests.cli.conftest import Run
from tests.process.grounds import playground, token

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture
def alice(ground: Playground, tmp_path: Path) -> Path:
    path = tmp_path / "alice.token"
    path.write_text(token(ground, "alice", "tickets:write") + "\n")
    return path


def test_yes_is_exit_code_0_and_says_why(run: Run, ground: Playground, alice: Path) -> None:
    said = run("check", "tools/call", "create_ticket", "--token-file", alice, "--config", ground.config)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("allowed  tools/call create_ticket  because allowed_by_rule\n")
    assert "  caller    user:alice  of https://issuer.demo.invalid\n" in said.out
    assert "  rule      policy.csv:" in said.out
    assert "  scopes    tickets:write\n" in said.out
    assert "  told      allowed (development key)\n" in said.out


def test_no_is_exit_code_1(run: Run, ground: Playground, alice: Path) -> None:
    said = run("check", "tools/call", "delete_ticket", "--token-file", alice, "--config", ground.config)
    assert said.code == 1
    assert said.out.startswith("denied  tools/call delete_ticket  because no_matching_rule\n")


def test_json_is_the_answer_of_the_wire(run: Run, ground: Playground, alice: Path) -> None:
    said = run("check", "tools/call", "delete_ticket", "--token-file", alice, "--config", ground.config, "--json")
    assert said.code == 1
    told = json.loads(said.out)
    assert (told["allowed"], told["reason"]) == (False, "REASON_NO_MATCHING_RULE")
    assert told["principal"]["subjects"] == ["user:alice"]


def test_the_token_comes_from_stdin_or_the_environment(
    run: Run, ground: Playground, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ("check", "tools/call", "list_tickets", "--config", ground.config)
    assert run(*question, "--token-file", "-", stdin=alice.read_bytes()).code == 0
    nobody = run(*question)
    assert (nobody.code, nobody.out.split()[4]) == (1, "token_missing")
    monkeypatch.setenv("AUTHZ_TOKEN", alice.read_text().strip())
    assert run(*question).code == 0
    monkeypatch.setenv("AUTHZ_TOKEN", "\udcff\udcfe")
    assert run(*question).out.split()[4] == "token_malformed"


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"\x00" * 4096, b"a" * 2_000_000, "\u202e…".encode()])
def test_any_bytes_as_a_token_are_a_no(run: Run, ground: Playground, data: bytes) -> None:
    said = run("check", "tools/call", "x", "--token-file", "-", "--config", ground.config, stdin=data)
    assert said.code == 1
    assert "because token_" in said.out


def test_a_question_out_of_bounds_has_no_answer(run: Run, ground: Playground, alice: Path) -> None:
    question = ("check", "tools/call", "x", "--token-file", alice, "--config", ground.config)
    said = run(*question, "--arguments", "[1]")
    assert said.code == 3
    assert said.err == (
        f"error no answer from unix:{ground.socket}: invalid argument: `arguments_json` is not a JSON object\n"
    )
    assert run(*question, "--arguments", '{"query": 1}').code == 1
    assert run("check", "m" * 300, "--config", ground.config).code == 3


def test_an_unknown_server_is_a_no(run: Run, ground: Playground, alice: Path) -> None:
    said = run("check", "tools/call", "x", "--server", "no", "--token-file", alice, "--config", ground.config)
    assert (said.code, "because server_unknown" in said.out) == (1, True)


@pytest.mark.parametrize("target", ["unix:/nowhere/authz.sock", "127.0.0.1:{port}"])
def test_nobody_there_is_exit_code_3(run: Run, alice: Path, target: str) -> None:
    target = target.format(port=free_port())
    said = run("check", "tools/call", "x", "--token-file", alice, "--target", target)
    assert (said.code, said.err) == (3, f"error nobody answers at {target}; is `authz-sidecar serve` running?\n")


@pytest.mark.parametrize(
    "target",
    ["203.0.113.7:50051", "example.com:50051", "127.0.0.1.example:1", "unix-abstract:x", "unix:", "", "dns:///x", "unix:///x"],
)  # fmt: skip
def test_a_token_never_leaves_this_machine(run: Run, alice: Path, target: str) -> None:
    said = run("check", "tools/call", "x", "--token-file", alice, "--target", target)
    assert said.code == 2
    assert said.err.startswith(f"error `{target}` is neither")


def test_no_token_goes_where_others_could_put_a_socket(run: Run, alice: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    said = run("check", "tools/call", "x", "--token-file", alice, "--target", f"unix:{tmp_path}/open/authz.sock")
    assert said.code == 2
    assert f"run `chmod 700 {tmp_path}/open`" in said.err
    (tmp_path / "open").chmod(0o1777)
    said = run("check", "tools/call", "x", "--token-file", alice, "--target", f"unix:{tmp_path}/open/authz.sock")
    assert "use a socket in a directory of its own" in said.err


def test_a_configuration_with_tls_alone_is_told(run: Run, home: Path) -> None:
    config = home / "authz.toml"
    config.write_text(
        config.read_text().replace(
            'socket = "var/run/authz.sock"',
            'tcp = "127.0.0.1:50051"\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"',
        )
    )
    said = run("check", "tools/call", "x", "--config", config)
    assert said.code == 2
    assert "set `[listen] socket` beside it" in said.err


def test_a_token_file_that_is_not_there_is_told(run: Run, ground: Playground) -> None:
    said = run("check", "tools/call", "x", "--token-file", "/nowhere/token", "--config", ground.config)
    assert (said.code, said.err) == (2, "error /nowhere/token: No such file or directory\n")


def test_bytes_in_the_question_are_told(run: Run, ground: Playground) -> None:
    said = run("check", "tools/call", "\udcff", "--config", ground.config)
    assert said.code == 2
    assert "not UTF-8" in said.err


def test_observe_mode_is_said(run: Run) -> None:
    with playground(mode="observe") as found, processes.sidecar(found):
        said = run("check", "tools/call", "x", "--config", found.config)
    assert said.code == 1
    assert "observe mode: the adapter lets it through and only logs" in said.out


def test_by_tcp_it_is_the_same(run: Run, alice: Path) -> None:
    port = free_port()
    with playground(tcp=f"127.0.0.1:{port}") as found, processes.sidecar(found):
        question = ("check", "tools/call", "list_tickets", "--token-file", alice)
        assert "token_" in run(*question, "--target", f"localhost:{port}").out  # a token of another playground
        config = found.config.read_text().replace('socket = "run/authz.sock"', "")
        (found.directory / "tcp.toml").write_text(config)
        assert "token_" in run(*question, "--config", found.directory / "tcp.toml").out
