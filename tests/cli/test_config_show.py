"""`authz-sidecar config check --show`: every value that a preset filled in can be seen."""

import json
from pathlib import Path

import pytest

from authz_sidecar.tokens import presets
from tests.cli.conftest import Run

TENANT = "8d5b6c1a-3f7e-4b0e-9c59-0d2f6a7e4b11"


@pytest.fixture
def entra(home: Path) -> Path:
    config = home / "authz.toml"
    before, _, rest = config.read_text().partition("[[issuers]]")
    issuer = f'[[issuers]]\npreset = "entra"\nalias = "corp"\nissuer = "https://sts.windows.net/{TENANT}/"\n'
    issuer += 'jwks_file = "keys/jwks.json"\nalgorithms = ["ES256"]\nuser_claim = "upn"\nleeway_seconds = 30\n\n'
    config.write_text(before + issuer + rest[rest.index("[[servers]]") :])
    return config


def test_values_of_the_preset_and_of_the_file_are_told_apart(run: Run, entra: Path) -> None:
    said = run("config", "check", "--show", "--config", entra)
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.startswith("  ")}
    assert said.code == 0
    assert "preset entra" in lines["roles_claim"]
    assert '["appid", "oid", "tid"]  preset entra' in lines["required_claims"]
    assert "preset" not in lines["user_claim"]
    assert '"upn"' in lines["user_claim"]
    assert "application ID" in said.out
    assert "given to somebody else" in said.err


def test_programs_get_all_of_it(run: Run, entra: Path) -> None:
    said = json.loads(run("config", "check", "--show", "--json", "--config", entra).out)
    (found,) = said["issuers"]
    assert found["values"]["client_tokens"] == "entra"
    assert {"client_tokens", "roles_claim", "token_types"} <= set(found["from_preset"])
    assert not {"user_claim", "algorithms", "alias"} & set(found["from_preset"])
    assert found["audience"] == presets.AUDIENCE["entra"]
    assert len(found["remarks"]) == 1


def test_an_issuer_without_a_preset_is_shown_as_it_is(run: Run, home: Path) -> None:
    said = run("config", "check", "--show", "--config", home / "authz.toml")
    assert said.code == 0
    assert "preset" not in said.out
    assert '"keys/jwks.json"' in said.out


def test_without_show_it_is_one_line(run: Run, home: Path) -> None:
    assert len(run("config", "check", "--config", home / "authz.toml").out.splitlines()) == 1
    assert "issuers" not in json.loads(run("config", "check", "--json", "--config", home / "authz.toml").out)
