"""`authz-sidecar doctor`: each thing is ok, warn or fail, with what to do."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar.cli import client
from examples.demo.processes import Playground
from tests.cli.conftest import Run


def checks(run: Run, config: Path) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    said = run("doctor", "--config", config, "--json")
    found = json.loads(said.out)
    assert found["ok"] is (said.code == 0)
    by: dict[str, list[dict[str, Any]]] = {}
    for one in found["checks"]:
        by.setdefault(one["check"], []).append(one)
        assert bool(one["advice"]) is (one["outcome"] != "ok")
    return said.code, by


def test_a_fresh_start_is_well_but_does_not_run(run: Run, home: Path) -> None:
    code, found = checks(run, home / "authz.toml")
    assert code == 0
    assert [one["outcome"] for one in found["issuer dev"]] == ["ok", "warn"]
    assert found["sidecar"][0]["outcome"] == "warn"
    assert "serve" in found["sidecar"][0]["advice"]


def test_it_is_told_in_lines_for_people(run: Run, home: Path) -> None:
    said = run("doctor", "--config", home / "authz.toml")
    assert said.code == 0
    assert "ok    configuration" in said.out
    assert "→ anybody who can read the signing key can be anybody" in said.out


def test_every_mistake_in_the_configuration_is_told(run: Run, home: Path) -> None:
    (home / "authz.toml").write_text("[listen]\nsokcet = 1\n")
    code, found = checks(run, home / "authz.toml")
    assert (code, list(found)) == (1, ["configuration"])
    assert any("sokcet" in one["sentence"] for one in found["configuration"])


def test_a_broken_policy_fails_with_its_place(run: Run, home: Path) -> None:
    (home / "policies" / "policy.csv").write_text("p, user:alice, my-server, tools/call, echo, permit\n")
    code, found = checks(run, home / "authz.toml")
    assert (code, found["policy"][0]["outcome"]) == (1, "fail")
    assert "policy.csv:1" in found["policy"][0]["sentence"]


def test_a_policy_that_is_not_there_fails(run: Run, home: Path) -> None:
    for path in (home / "policies").iterdir():
        path.unlink()
    (home / "policies").rmdir()
    code, found = checks(run, home / "authz.toml")
    assert (code, found["policy"][0]["outcome"]) == (1, "fail")


def test_what_only_the_whole_can_get_wrong_is_told(run: Run, home: Path) -> None:
    config = home / "authz.toml"
    second = '[[issuers]]\nalias = "two"\nissuer = "https://two.example"\njwks_file = "keys/jwks.json"\n'
    second += 'algorithms = ["ES256"]\n'
    config.write_text(config.read_text().replace("[[servers]]", f"{second}\n[[servers]]", 1))
    code, found = checks(run, config)
    assert code == 1
    assert any("development" in one["sentence"] for one in found["configuration"])


def test_a_running_sidecar_is_asked(run: Run, ground: Playground) -> None:
    code, found = checks(run, ground.config)
    assert code == 0
    assert found["sidecar"][0]["outcome"] == "ok"


def test_a_running_sidecar_that_keeps_an_old_policy_is_told(run: Run, ground: Playground) -> None:
    from tests.process.grounds import until

    policy = ground.config.parent / "policies" / "policy.csv"
    before = policy.read_text()
    policy.write_text(before + "p, nobody\n")
    try:
        until(lambda: "last good" in checks(run, ground.config)[1]["sidecar"][0]["sentence"])
    finally:
        policy.write_text(before)


@pytest.mark.parametrize("mode", [0o777])
def test_a_socket_directory_that_others_may_write_is_not_asked(run: Run, home: Path, mode: int) -> None:
    (home / "var" / "run").mkdir(parents=True)
    (home / "var" / "run").chmod(mode)
    code, found = checks(run, home / "authz.toml")
    assert (code, found["sidecar"][0]["outcome"]) == (1, "fail")


def test_a_sidecar_that_hangs_is_told_apart_from_none(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that runs and does not answer lets nobody through; starting a second one would not help."""
    monkeypatch.setattr(client, "DEADLINE_SECONDS", 0.2)
    (home / "var" / "run").mkdir(parents=True)
    (home / "var" / "run").chmod(0o700)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(home / "var" / "run" / "admin.sock"))
        mute.listen()
        code, found = checks(run, home / "authz.toml")
    assert (code, found["sidecar"][0]["outcome"]) == (1, "fail")
    assert "may hang" in found["sidecar"][0]["sentence"]
