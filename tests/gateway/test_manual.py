"""The manual names every key, every code, and a configuration that loads."""

import re
from pathlib import Path

import pytest

from mcp_adapter.gateway import config, tell
from mcp_adapter.gateway.configfile import load

MANUAL = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
SECTIONS = [config.Gateway, config.Server, config.Listen, config.Status, config.Sidecar, config.Audit]
SECTIONS += [config.Identity, config.Counting, config.Limits, config.Health]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_in_the_manual(section):
    missing = [key for key in section.model_fields if not re.search(rf"\b{key}\b", MANUAL)]
    assert missing == []


def test_every_code_is_in_the_manual():
    codes = [value for name, value in vars(tell).items() if name.isupper() and isinstance(value, int)]
    assert [code for code in codes if str(code) not in MANUAL] == []


def test_the_configuration_of_the_manual_loads(tmp_path):
    (sample,) = re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)
    (tmp_path / "gateway.toml").write_text(sample)
    assert load(tmp_path / "gateway.toml").servers[0].name == "ops-assistant"
