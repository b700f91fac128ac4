"""`revoke` and `revocations`: what they take, what they say, and what they never take."""

import json
from pathlib import Path

import pytest

from examples.demo.processes import Playground
from tests.cli.conftest import Run
from tests.process.grounds import token

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def test_a_token_from_standard_input_or_a_file_is_revoked(run: Run, ground: Playground, tmp_path: Path) -> None:
    first, second = token(ground, "alice", jti="one"), token(ground, "alice", jti="two")
    said = run("revoke", "token", "-", "--reason", "stolen", "--config", ground.config, stdin=first.encode())
    assert (said.code, said.out.splitlines()[0].startswith("revoked  token one  of ")) == (0, True)
    (tmp_path / "two.token").write_text(second + "\n")
    told = json.loads(run("revoke", "token", tmp_path / "two.token", "--json", "--config", ground.config).out)
    assert (told["revocation"]["value"], told["revocation"]["kind"]) == ("two", "token")
    for text in (first, second):
        asked = run("check", "tools/call", "lookup_inventory", "--token-file", "-", "--config", ground.config,
                    stdin=text.encode())  # fmt: skip
        assert (asked.code, "token_revoked" in asked.out) == (1, True)
    assert first.split(".")[2] not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "kind", "value"),
    [
        (("--jti", "j-1"), "token", "j-1"),
        (("--subject", "sue", "--issuer", "dev"), "subject", "sue"),
        (("--subject", "tim", "--issued-before", "now"), "subject", "tim"),
        (("--client", "ci", "--issued-before", "2026-03-04T05:06:07+01:00"), "client", "ci"),
        (("--issued-before", "1999-01-01T00:00:00Z"), "issuer", ""),
    ],
    ids=["by jti", "a subject", "a subject up to now", "a client up to a moment", "an issuer"],
)
def test_each_kind_is_revoked_and_listed(
    run: Run, ground: Playground, arguments: tuple[str, ...], kind: str, value: str
) -> None:
    assert run("revoke", *arguments, "--config", ground.config).code == 0
    listed = json.loads(run("revocations", "--json", "--config", ground.config).out)
    assert listed["revocations"][-1]["kind"] == kind
    assert listed["revocations"][-1].get("value", "") == value
    assert listed["epoch"] == listed["revocations"][-1]["epoch"]
    assert not listed["stale"]
    row = run("revocations", "--config", ground.config).out.splitlines()[-1].split("\t")
    assert row[1:3] == [kind, value]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), "name what to revoke", id="nothing"),
        pytest.param(("--jti", "a", "--subject", "b"), "name one thing", id="two things"),
        pytest.param(("token", "-", "--jti", "a"), "name one thing", id="a token and a thing"),
        pytest.param(("eyJhbGciOiJub25lIn0.e30.",), "never stands on the command line", id="a token in the open"),
        pytest.param(("token",), "expected `token FILE`", id="a token from nowhere"),
        pytest.param(("--subject", "a", "--issued-before", "2026-01-01"), "a time with its zone", id="no zone"),
        pytest.param(("--subject", "a", "--issued-before", "soon"), "neither `now` nor", id="no time"),
        pytest.param(("--subject", "a", "--issued-before", "1066-10-14T09:00:00Z"), "neither", id="long ago"),
        pytest.param(("--subject", "a", "--issued-before", "2999-01-01T00:00:00Z"), "in the future", id="to come"),
        pytest.param(("--jti", "a", "--issued-before", "now"), "`issued_before` goes with", id="a token in time"),
        pytest.param(("--jti", ""), "the token id has 0 characters", id="an empty name"),
        pytest.param(("--jti", "a", "--issuer", "x"), "`issuer` is `x`", id="another issuer"),
        pytest.param(("--family", "a"), "no `family_claim`", id="no families"),
        pytest.param(("--jti", "a", "--reason", "x" * 300), "`reason` must be", id="a long story"),
        pytest.param(("token", "-"), "not one of a configured issuer", id="no token"),
    ],
)
def test_a_mistake_is_told_with_exit_code_2(
    run: Run, ground: Playground, arguments: tuple[str, ...], said: str
) -> None:
    told = run("revoke", *arguments, "--config", ground.config)
    assert told.code == 2
    assert said in " ".join(told.err.split())
    assert told.out == ""


def test_nobody_at_home_is_exit_code_3(run: Run, home: Path) -> None:
    for arguments in (("revoke", "--jti", "a"), ("revocations",)):
        told = run(*arguments, "--config", home / "authz.toml")
        assert (told.code, "is `authz-sidecar serve` running?" in told.err) == (3, True)


def test_a_token_file_that_is_not_there_is_told(run: Run, ground: Playground) -> None:
    told = run("revoke", "token", "/nonexistent/token", "--config", ground.config)
    assert (told.code, told.err) == (2, "error /nonexistent/token: No such file or directory\n")


def test_a_name_that_is_not_text_is_told(run: Run, ground: Playground) -> None:
    told = run("revoke", "--subject", "a\udcff", "--config", ground.config)
    assert told.code == 2
    assert "not UTF-8" in told.err
