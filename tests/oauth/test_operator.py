"""The operator keeps clients and keys by commands."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from authz_sidecar.cli.root import cli
from authz_sidecar.errors import ConfigError
from tests.oauth.roof import configured


def _run(directory: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["oauth", *arguments, "--config", str(directory / "authz.toml")])
    if isinstance(result.exception, ConfigError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return int(result.return_value or 0), result.output


def test_the_operator_keeps_clients_and_keys(tmp_path: Path) -> None:
    configured(tmp_path)
    for arguments, said in (
        (("key", "generate"), "signs now"),
        (("key", "list"), "signs"),
        (("key", "rotate", "--ahead-seconds", "0"), "signs in 0 s"),
        (("key", "list"), "verifies until"),
        (("key", "rotate", "--json"), "signs_in_seconds"),
        (("key", "list"), "will sign at"),
        (("key", "list", "--json"), '"signs": true'),
        (("client", "add", "web", "--secret", "--redirect-uri", "https://web.example/cb"), "never shown again"),
        (("client", "add", "app", "--redirect-uri", "https://app.example/cb", "--json"), '"client_secret": null'),
        (("client", "list"), "client_secret_basic"),
        (("client", "list", "--json"), "https://web.example/cb"),
        (("client", "secret", "web"), "never shown again"),
        (("client", "secret", "web", "--json"), "client_secret"),
        (("client", "secret", "app"), "no client `app` with a secret"),
        (("client", "disable", "app"), "disabled"),
        (("client", "list"), "disabled"),
        (("client", "enable", "app"), "enabled"),
        (("client", "remove", "app"), "removed"),
        (("client", "remove", "app"), "no client `app`"),
        (("client", "add", "web", "--redirect-uri", "https://web.example/cb"), "already"),
        (("client", "add", "robot", "--for-itself"), "prove itself"),
    ):
        assert said in _run(tmp_path, *arguments)[1], arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("alice", "--redirect-uri", "https://a.example/cb"), "name of an account", id="a person's name"),
        pytest.param(("a", "--redirect-uri", "https://a.example/cb", "--scope", "x"), "scope `x`", id="no such scope"),
        pytest.param(("a", "--redirect-uri", "https://a.example/cb", "--name", "x" * 101), "at most 100", id="a novel"),
        pytest.param(("a", "--redirect-uri", "https://a.example/cb", "--name", "a\tb"), "printable", id="a tab"),
    ],
)
def test_a_client_that_cannot_be_meant_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    configured(tmp_path)
    (tmp_path / "pw").write_text("correct horse battery\n")
    at = ["--config", str(tmp_path / "authz.toml")]
    added = CliRunner().invoke(cli, ["oauth", "user", "add", "alice", "--password-file", str(tmp_path / "pw"), *at])
    assert added.exit_code == 0, added.output
    code, told = _run(tmp_path, "client", "add", *arguments)
    assert (code, said in told) == (2, True), told


def test_a_client_is_added_with_its_keys(tmp_path: Path) -> None:
    configured(tmp_path)
    (tmp_path / "jwks.json").write_text('{"keys":[{"kty":"EC","crv":"P-256","x":"x","y":"y"}]}')
    done = _run(tmp_path, "client", "add", "robot", "--for-itself", "--jwks-file", str(tmp_path / "jwks.json"))
    assert "private_key_jwt" in done[1]
