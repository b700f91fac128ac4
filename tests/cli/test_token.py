"""`token mint` and `token inspect`: for development, and for looking without trusting."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.conftest import CALM, Run
from tests.effort import examples


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def with_issuer(home: Path, line: str) -> Path:
    """Add a line to the issuer of the configuration."""
    config = home / "authz.toml"
    config.write_text(config.read_text().replace("development = true", f"development = true\n{line}"))
    return config


def test_a_minted_token_goes_to_stdout_and_the_remark_to_stderr(run: Run, home: Path) -> None:
    said = run("token", "mint", "--sub", "alice", "--ttl", 60, "--config", home / "authz.toml")
    assert said.out.count("\n") == 1
    assert said.err == f"for development only: signed with {home}/keys/signing-key.json, ends in 60 s\n"
    found = claims(said.out.strip())
    assert (found["sub"], found["aud"], found["exp"] - found["iat"]) == ("alice", "http://127.0.0.1:8000/mcp", 60)


def test_a_token_says_what_was_asked(run: Run, home: Path) -> None:
    config = with_issuer(home, 'roles_claim = "realm_access.roles"')
    said = run(
        *(
            "token",
            "mint",
            "--sub",
            "alice",
            "--scope",
            "a:b",
            "--scope",
            "c",
            "--role",
            "support",
            "--client-id",
            "cli",
        ),
        *(
            "--claim",
            "n=9007199254740993",
            "--claim",
            "text=x=y",
            "--claim",
            "deep.er=[1]",
            "--json",
            "--config",
            config,
        ),
    )
    told = json.loads(said.out)
    assert told["development"] is True
    assert claims(told["token"]) == told["claims"]
    found = told["claims"]
    assert (found["scope"], found["client_id"], found["realm_access"]) == ("a:b c", "cli", {"roles": ["support"]})
    assert (found["n"], found["text"], found["deep"]) == (9007199254740993, "x=y", {"er": [1]})


def test_what_the_issuer_maps_is_in_the_token(run: Run, home: Path) -> None:
    config = with_issuer(home, 'user_claim = "email"\ngroups_claim = "https://x.example/groups"\nroles_claim = "roles"')
    minted = run("token", "mint", "--sub", "a@x.example", "--config", config).out
    said = run("token", "inspect", "-", "--config", config, "--json", stdin=minted.encode())
    assert said.code == 0, said.out
    assert json.loads(said.out)["subjects"] == ["user:a@x.example"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ["--role", "x"], "--role: the issuer `dev` has no `roles_claim`; give roles by `g` rows", id="role"
        ),
        pytest.param(["--claim", "x"], "--claim `x`: expected NAME=VALUE", id="claim without a value"),
        pytest.param(["--claim", "=x"], "the claim ``", id="claim without a name"),
        pytest.param(["--claim", "a.=x"], "the claim `a.`", id="half a name"),
        pytest.param(["--claim", "sub.a=x"], "the claim `sub.a`: `sub` is a value already", id="claim in a value"),
        pytest.param(["--server", "other"], "--server: `other` is not configured; there is my-server", id="server"),
        pytest.param(["--key", "/nowhere/key.json"], "/nowhere/key.json: cannot read the keys", id="no key"),
        pytest.param(["--key", "/dev/null"], "/dev/null: ", id="an empty key"),
        pytest.param(["--config", "/nowhere/authz.toml"], "`authz-sidecar init` writes one", id="no configuration"),
        pytest.param(["--ttl", "0"], "Invalid value for '--ttl'", id="no time"),
        pytest.param(["--claim", "x=\udcff"], "not UTF-8", id="bytes in a claim"),
    ],
)
def test_what_cannot_be_minted_is_told(run: Run, home: Path, arguments: list[str], said: str) -> None:
    told = run("token", "mint", "--sub", "alice", "--config", home / "authz.toml", *arguments)
    assert (told.code, told.out) == (2, "")
    assert said in told.err


@pytest.mark.parametrize("value", ["NaN", "1e999", "[" * 3000, '{"a":1,"a":2}', "{", ""])
def test_a_claim_that_is_no_plain_json_is_text(run: Run, home: Path, value: str) -> None:
    said = run("token", "mint", "--sub", "alice", "--config", home / "authz.toml", "--claim", f"x={value}")
    assert said.code == 0
    assert claims(said.out.strip())["x"] == value


def test_only_development_issuers_mint(run: Run, home: Path) -> None:
    config = home / "authz.toml"
    config.write_text(config.read_text().replace("development = true", "development = false"))
    told = run("token", "mint", "--sub", "alice", "--config", config)
    assert told.code == 2
    assert "no issuer is marked `development = true`" in told.err


def test_with_two_servers_one_is_named(run: Run, home: Path) -> None:
    config = home / "authz.toml"
    config.write_text(config.read_text() + '\n[[servers]]\nname = "other"\naudience = "https://other.example"\n')
    told = run("token", "mint", "--sub", "alice", "--config", config)
    assert (told.code, told.err) == (2, "error --server is needed, one of my-server, other\n")
    minted = run("token", "mint", "--sub", "alice", "--server", "other", "--config", config).out
    assert claims(minted.strip())["aud"] == "https://other.example"

    def code(*more: str) -> int:
        return run("token", "inspect", "-", "--config", config, *more, stdin=minted.encode()).code

    assert code("--server", "other") == 0
    assert code("--server", "my-server") == 1
    assert code("--server", "no") == 2


@given(data=st.binary(max_size=200))
@settings(CALM, max_examples=examples(40))
def test_any_signing_key_signs_or_is_refused(run: Run, home: Path, data: bytes) -> None:
    key = home / "fuzz.json"
    key.write_bytes(data)
    told = run("token", "mint", "--sub", "alice", "--key", key, "--config", home / "authz.toml")
    assert told.code == 2
    assert told.err.startswith("error ")


@pytest.mark.parametrize(
    "key", [{}, {"alg": "ES256"}, {"alg": "ES256", "kty": "EC", "d": 5}, {"alg": ["x"]}, {"alg": "HS256", "k": "AA"}]
)
def test_a_key_that_cannot_sign_is_told(run: Run, home: Path, key: dict[str, object]) -> None:
    (home / "odd.json").write_text(json.dumps({"keys": [key]}))
    told = run("token", "mint", "--sub", "alice", "--key", home / "odd.json", "--config", home / "authz.toml")
    assert told.code == 2
    assert told.err.startswith("error ")


def test_inspect_explains_an_accepted_token(run: Run, home: Path) -> None:
    minted = run("token", "mint", "--sub", "alice", "--config", home / "authz.toml").out.strip()
    for said in (
        run("token", "inspect", minted, "--config", home / "authz.toml"),
        run("token", "inspect", "-", "--config", home / "authz.toml", stdin=f" {minted}\n".encode()),
    ):
        assert said.code == 0
        assert "accepted  the policy knows the caller as user:alice" in said.out
        assert " UTC, in " in said.out
        assert minted not in said.out


def test_inspect_takes_the_token_from_a_file_or_the_environment(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minted = run("token", "mint", "--sub", "alice", "--config", home / "authz.toml").out
    (home / "alice.token").write_text(minted)
    assert run("token", "inspect", "--token-file", home / "alice.token", "--config", home / "authz.toml").code == 0
    monkeypatch.setenv("AUTHZ_TOKEN", minted.strip())
    assert run("token", "inspect", "--config", home / "authz.toml").code == 0


def test_a_file_in_place_of_the_token_is_told_how_to_be_given(run: Run, home: Path) -> None:
    (home / "alice.token").write_text("x")
    said = run("token", "inspect", home / "alice.token", "--config", home / "authz.toml")
    assert said.code == 2
    assert f"is a file; give it as --token-file {home / 'alice.token'}" in said.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param([], "there is no token; give --token-file FILE, or set AUTHZ_TOKEN", id="none"),
        pytest.param(["a.b.c", "--token-file", "-"], "`a.b.c` and --token-file are two tokens", id="two"),
    ],
)
def test_inspect_needs_one_token(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.delenv("AUTHZ_TOKEN", raising=False)
    said = run("token", "inspect", *arguments, "--config", home / "authz.toml")
    assert said.code == 2
    assert told in said.err


def test_inspect_explains_a_refused_token_as_hearsay(run: Run, home: Path) -> None:
    head, body, seal = run("token", "mint", "--sub", "alice", "--config", home / "authz.toml").out.strip().split(".")
    changed = f"{head}.{body}.{'B' if seal.startswith('A') else 'A'}{seal[1:]}"
    said = run("token", "inspect", changed, "--config", home / "authz.toml")
    assert said.code == 1
    assert "not verified: anybody could have written this" in said.out
    assert said.out.endswith("refused  token_signature_invalid\n")
    told = json.loads(run("token", "inspect", changed, "--config", home / "authz.toml", "--json").out)
    assert (told["accepted"], told["signed"], told["reason"]) == (False, False, "token_signature_invalid")


@pytest.mark.parametrize(
    ("spelled", "advice"),
    [
        pytest.param("Bearer {}", "give the token alone", id="as a header has it"),
        pytest.param('"{}"', "give the token alone", id="as JSON has it"),
        pytest.param("", "put the token there", id="not at all"),
    ],
)
def test_a_token_that_was_pasted_amiss_is_told_how_to_be_given(run: Run, home: Path, spelled: str, advice: str) -> None:
    token = run("token", "mint", "--sub", "alice", "--config", home / "authz.toml").out.strip()
    said = run("token", "inspect", "-", "--config", home / "authz.toml", stdin=spelled.format(token).encode())
    assert (said.code, f"→ {advice}" in said.out) == (1, True), said.out


@given(data=st.binary(max_size=200))
@settings(CALM, max_examples=examples(40))
def test_any_bytes_are_explained(run: Run, home: Path, data: bytes) -> None:
    said = run("token", "inspect", "-", "--config", home / "authz.toml", stdin=data)
    assert said.code == 1
    assert not set(said.out) & {chr(code) for code in (*range(10), *range(11, 32), 127)}


@given(header=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
@settings(CALM, max_examples=examples(40))
def test_what_a_stranger_wrote_does_not_reach_the_terminal(run: Run, home: Path, header: dict[str, str]) -> None:
    """A claim such as `\\x1b[2J` or `[red]` is shown as text."""
    written = base64.urlsafe_b64encode(json.dumps(header | {"x\x1b[2J": "[bold]\x1b]0;x\x07"}).encode()).rstrip(b"=")
    said = run("token", "inspect", f"{written.decode()}.{written.decode()}.AAAA", "--config", home / "authz.toml")
    assert said.code == 1
    assert "\x1b" not in said.out
    assert "\x07" not in said.out


@given(data=st.binary(max_size=200))
@settings(CALM, max_examples=examples(40))
def test_any_key_file_is_read_or_refused(run: Run, home: Path, data: bytes) -> None:
    (home / "keys" / "jwks.json").write_bytes(data)
    said = run("config", "check", "--config", home / "authz.toml")
    assert said.code == 2
    assert f"{home}/keys/jwks.json" in said.err
