"""`docs/oauth.md` is true: its configuration is taken, its commands are there, and what it points to exists."""

import os
import re
from pathlib import Path
from typing import Any

import click
import pytest

from authz_sidecar import configfile
from authz_sidecar.cli.root import cli
from authz_sidecar.configfile import ConfigError

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "oauth.md").read_text("utf-8")
TOML = re.findall(r"^```toml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
SERVERS = '[[servers]]\nname = "ops"\naudience = "https://ops.example/mcp"\n[policy]\npath = "policies"\n'
COMMANDS = sorted(
    set(re.findall(r"^authz-sidecar (oauth [a-z]+(?: [a-z]+)?)", MANUAL, re.MULTILINE))
    | set(re.findall(r"`(oauth (?:client|user|key) [a-z]+)", MANUAL))
)


@pytest.mark.parametrize("extra", [text for text in TOML if text.startswith("[[oauth.")], ids=lambda text: text[2:24])
def test_its_configuration_is_taken(extra: str, tmp_path: Path) -> None:
    start, issuer = (next(text for text in TOML if sign in text) for sign in ("[oauth.scopes]", "family_claim"))
    (tmp_path / "authz.toml").write_text(start + issuer + SERVERS + extra)
    (tmp_path / "policies").mkdir()
    config = configfile.load(tmp_path / "authz.toml", {})
    assert config.oauth.issuer == "https://login.example"


def test_a_key_that_it_does_not_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "authz.toml").write_text("[oauth]\nisuer = 'https://login.example'\n" + SERVERS)
    with pytest.raises(ConfigError, match="isuer"):
        configfile.load(tmp_path / "authz.toml", dict(os.environ))


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_there(command: str) -> None:
    found: Any = cli
    for word in command.split():
        if not isinstance(found, click.Group):
            break  # what follows is an argument
        found = found.get_command(click.Context(found), word)
        assert found is not None, command
    assert not isinstance(found, click.Group), command


def test_the_targets_that_it_names_are_in_the_makefile() -> None:
    named = set(re.findall(r"`make ([a-z-]+)`", MANUAL))
    assert {"demo-oauth", "demo-oauth-browser"} <= named
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert named <= made


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", MANUAL)
    assert len(pictures) >= 4
    assert all((ROOT / "docs" / path).is_file() for path in pictures)
