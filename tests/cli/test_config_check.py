"""`config check`: everything that `serve` would read, before it runs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_config_check_says_what_is_wrong_with_the_policy_too(run: Run, home: Path) -> None:
    policy = home / "policies" / "policy.csv"
    rows = policy.read_text()
    place = f"policy.csv:{rows.count(chr(10)) + 1}:4:"
    policy.write_text(rows + "p, alice, *, *, *, deny\n")
    said = run("config", "check", "--config", home / "authz.toml")
    assert said.code == 1
    assert said.err.startswith(f"error {place}")
    told = json.loads(run("config", "check", "--config", home / "authz.toml", "--json").out)
    assert told["ok"] is False
    assert told["problems"][0].startswith(place)


def test_config_check_warns(run: Run, home: Path) -> None:
    (home / "policies" / "policy.csv").write_text("# nobody\n")
    (home / "policies" / "expectations.csv").unlink()
    said = run("config", "check", "--config", home / "authz.toml")
    assert said.code == 0
    assert "warning " in said.err
    assert json.loads(run("config", "check", "--config", home / "authz.toml", "--json").out)["warnings"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param("keys/jwks.json", "keys/no.json", "cannot be read", id="no key file"),
        pytest.param("keys/jwks.json", "authz.toml", "authz.toml", id="a key file that is none"),
        pytest.param('engine = "casbin"', 'engine = "opa"', "opa", id="an unknown engine"),
        pytest.param('# tcp = "127.0.0.1:50051"', 'tcp = "0.0.0.0:50051"', "without TLS", id="tokens over the network"),
        pytest.param('# tcp = "127.0.0.1:50051"', 'tcp = "127.0.0.1"', "is not HOST:PORT", id="no port"),
    ],
)
def test_config_check_reads_what_serve_would_read(run: Run, home: Path, before: str, after: str, said: str) -> None:
    config = home / "authz.toml"
    config.write_text(config.read_text().replace(before, after))
    for command in (("config", "check"), ("serve",)):
        told = run(*command, "--config", config)
        assert told.code == 2
        assert told.err.startswith("error ")
        assert said in told.err
    assert not (home / "var" / "run").exists()
