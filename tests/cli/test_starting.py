"""`init`, `keys`, `completion`, `--version`: the first minute."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar import __version__, configfile
from authz_sidecar.cli import starting
from tests.cli.conftest import CALM, Run


def test_what_init_writes_loads_as_it_is(run: Run, home: Path) -> None:
    config = home / "authz.toml"
    assert run("config", "check", "--config", config).out.startswith("ok  ")
    assert run("policy", "lint", "--config", config).code == 0
    tested = run("policy", "test", "--config", config)
    assert (tested.code, tested.out) == (0, "ok  4 expectations hold\n")
    assert not tested.err
    minted = run("token", "mint", "--sub", "alice", "--config", config)
    assert run("token", "inspect", "-", "--config", config, stdin=minted.out.encode()).code == 0


def test_init_says_what_it_wrote_and_what_comes_next(run: Run, tmp_path: Path) -> None:
    said = run("init", tmp_path / "new")
    for name in ("authz.toml", "policies/policy.csv", "keys/jwks.json"):
        assert f"wrote  {tmp_path}/new/{name}\n" in said.out
    assert f"cd {tmp_path}/new && authz-sidecar serve" in said.out
    assert max(map(len, said.out.splitlines())) <= 120


def test_init_in_json_names_the_files(run: Run, tmp_path: Path) -> None:
    written = json.loads(run("init", tmp_path / "new", "--json").out)["written"]
    assert len(written) == 7
    assert all(Path(path).is_file() for path in written)


def test_init_quotes_an_odd_directory_for_the_shell(run: Run, tmp_path: Path) -> None:
    assert f"cd '{tmp_path}/my server' && " in run("init", tmp_path / "my server").out


@pytest.mark.parametrize("name", ["authz.toml", "policies/scopes.csv", "keys/jwks.json"])
def test_init_overwrites_nothing(run: Run, tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    said = run("init", tmp_path)
    assert said.code == 2
    assert said.err == f"error {mine}: exists already; nothing was overwritten\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("server", ["a,b", 'a"b', "a\nb", "a b", "", "*", "a*", "-a", "#a", "ä", "a" * 129, "p,user:x"])
def test_an_odd_server_name_is_refused(run: Run, tmp_path: Path, server: str) -> None:
    said = run("init", tmp_path / "new", "--server", server)
    assert said.code == 2
    assert "--server" in said.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "audience",
    ['http://x"\n[http]\nbind="', "http://x\\u0022", "http://x y", "", "x", "http://x\u202e", "http://x\x7f", "http:"],
)
def test_an_audience_that_is_no_url_is_refused(run: Run, tmp_path: Path, audience: str) -> None:
    said = run("init", tmp_path / "new", "--audience", audience)
    assert said.code == 2
    assert "--audience" in said.err
    assert not (tmp_path / "new").exists()


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=30))
@CALM
def test_an_audience_that_is_taken_cannot_end_its_string(tail: str) -> None:
    audience = f"http://x{tail}"
    if starting.fits(audience):
        assert tomllib.loads(f'audience = "{audience}"') == {"audience": audience}


@pytest.mark.parametrize("server", ["a", "ops-assistant", "a-server-with-a-name-that-is-rather-long.example"])
def test_the_columns_of_the_policy_stay_under_their_titles(run: Run, tmp_path: Path, server: str) -> None:
    audience = "https://ops.example/mcp?a=[1]&b='x'"
    assert run("init", tmp_path / "new", "--server", server, "--audience", audience).code == 0
    assert run("config", "check", "--config", tmp_path / "new" / "authz.toml").code == 0
    assert configfile.load(tmp_path / "new" / "authz.toml", {}).servers[0].audience == audience
    lines = (tmp_path / "new" / "policies" / "policy.csv").read_text().splitlines()
    (titles,) = [line for line in lines if line.startswith("# p, subject,")]
    for row in (line for line in lines if line.startswith("p,")):
        assert row.index("allow") == titles.index("effect")
        assert row.index(f" {server},") + 1 == titles.index("server")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_a_key_is_for_its_owner_alone_and_marked(run: Run, tmp_path: Path, algorithm: str) -> None:
    said = run("keys", "generate", tmp_path / "keys", "--algorithm", algorithm)
    assert said.code == 0
    private, public = tmp_path / "keys" / "signing-key.json", tmp_path / "keys" / "jwks.json"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    (key,) = json.loads(public.read_text())["keys"]
    assert key["alg"] == algorithm
    assert "d" not in key
    assert {name for name, value in key.items() if value is True}  # the mark
    again = run("keys", "generate", tmp_path / "keys")
    assert (again.code, again.err) == (2, f"error {private}: exists already; nothing was overwritten\n")


def test_keys_in_json_say_where(run: Run, tmp_path: Path) -> None:
    said = json.loads(run("keys", "generate", tmp_path / "keys", "--json").out)
    assert said["algorithm"] == "ES256"
    assert Path(said["signing_key"]).exists()
    assert Path(said["jwks_file"]).exists()


def test_keys_where_no_directory_can_be(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    said = run("keys", "generate", tmp_path / "file" / "keys")
    assert said.code == 2
    assert said.err.startswith("error ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_one_that_the_shell_reads(run: Run, shell: str) -> None:
    said = run("completion", shell)
    assert said.code == 0
    assert "_AUTHZ_SIDECAR_COMPLETE" in said.out
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    checked = subprocess.run([shell, "-n"], input=said.out, capture_output=True, text=True, timeout=10, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_completion_knows_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "authz_sidecar"],
        env={
            **os.environ,
            "_AUTHZ_SIDECAR_COMPLETE": "bash_complete",
            "COMP_WORDS": "authz-sidecar policy st",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "plain,status\n"


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"authz-sidecar {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["nonsense"], ["token", "mint"], ["check"], ["init", "--json=1"]]
)
def test_wrong_usage_is_told_with_exit_code_2(run: Run, arguments: list[str]) -> None:
    said = run(*arguments)
    assert said.code == 2
    assert said.err.startswith(("Usage: authz-sidecar", "Error: "))


def test_help_tells_the_exit_codes(run: Run) -> None:
    said = run("--help")
    assert said.code == 0
    assert "0 yes, 1 no" in said.out


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "authz_sidecar", "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"authz-sidecar {__version__}\n")


@pytest.mark.parametrize("server", ["x", "my-server", "a-very-long-server-name"])
def test_what_init_writes_is_laid_out_as_fmt_wants_it(run: Run, tmp_path: Path, server: str) -> None:
    assert run("init", tmp_path, "--server", server).code == 0
    said = run("policy", "fmt", "--check", "--config", tmp_path / "authz.toml")
    assert (said.code, said.out) == (0, "ok  all columns are aligned\n")
