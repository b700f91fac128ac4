"""`docs/tokens.md`: its configurations can be used as they stand, and no preset, reason or key is left out."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from authz_sidecar.config import Config, Issuer
from authz_sidecar.model import Reason
from authz_sidecar.tokens import presets

MANUAL: Final = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text()
BLOCKS: Final = re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_configuration_can_be_used_as_it_stands(block: str) -> None:
    tree: dict[str, Any] = tomllib.loads(block)
    tree.setdefault("servers", [{"name": "ops", "audience": "https://ops.example/mcp"}])
    found = Config.model_validate(tree)
    assert found.issuers[0].discovery is True


def test_every_preset_has_a_configuration_and_a_row() -> None:
    assert sorted(tomllib.loads(block)["issuers"][0]["preset"] for block in BLOCKS) == sorted(presets.NAMES)
    for name in presets.NAMES:
        (row,) = re.findall(rf"^\| `{name}` \|.*$", MANUAL, re.MULTILINE)
        values = presets.filled(name, "https://login.microsoftonline.com/")
        assert f"`{values['user_claim']}`" in row


def test_every_reason_about_a_token_is_told() -> None:
    told = set(re.findall(r"`(token_[a-z_]+)`", MANUAL))
    assert {reason.value for reason in Reason if reason.about_token} <= told


def test_every_key_that_it_names_is_one() -> None:
    table = MANUAL.split("## Claims")[1].split("## ")[0]
    named = {
        name for cell in re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    assert named <= Issuer.model_fields.keys()
    assert {"required_values", "optional_claims", "client_tokens"} <= named
