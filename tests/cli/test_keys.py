"""`authz-sidecar keys`: making, rotating with overlap, listing and pruning development keys."""

import json
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar.cli import devkeys
from authz_sidecar.tokens import mint
from tests.cli.conftest import Run


def listed(run: Run, keys: Path) -> list[dict[str, Any]]:
    found = run("keys", "list", keys, "--json")
    assert found.code == 0
    return list(json.loads(found.out)["keys"])


def aged(keys: Path, **members: Any) -> None:
    """Change what the last published key says of itself."""
    path = keys / "jwks.json"
    document = json.loads(path.read_text())
    document["keys"][-1] |= members
    path.write_text(json.dumps(document))


def test_a_rotation_signs_with_a_new_key_and_lets_the_old_one_verify(run: Run, home: Path) -> None:
    keys = home / "keys"
    (old,) = listed(run, keys)
    said = run("keys", "rotate", keys, "--overlap-hours", "2")
    assert said.code == 0
    new, kept = listed(run, keys)
    assert new["kid"] in said.out
    assert (new["signs"], kept["signs"]) == (True, False)
    assert kept["kid"] == old["kid"]
    assert 7_100 < kept["until"] - new["made"] <= 7_201
    assert all(one["development"] for one in (new, kept))
    assert [key["kid"] for key in mint.read_keys(keys / "signing-key.json")] == [new["kid"]]
    assert (keys / "signing-key.json").stat().st_mode & 0o777 == 0o600
    assert "d" not in json.loads((keys / "jwks.json").read_text())["keys"][0]


def test_tokens_of_both_keys_are_accepted_during_the_overlap(run: Run, home: Path) -> None:
    config = home / "authz.toml"
    minted = [run("token", "mint", "--sub", "alice", "--config", config).out]
    run("keys", "rotate", home / "keys")
    minted.append(run("token", "mint", "--sub", "alice", "--config", config).out)
    for token in minted:
        assert run("token", "inspect", "-", "--config", config, stdin=token.encode()).code == 0


def test_a_key_whose_overlap_is_over_is_pruned(run: Run, home: Path) -> None:
    keys = home / "keys"
    (old,) = listed(run, keys)
    run("keys", "rotate", keys)
    assert "no key's time is over" in run("keys", "prune", keys).out
    assert json.loads(run("keys", "prune", keys, "--json").out) == {"removed": []}
    aged(keys, exp=1)
    assert "over" in run("keys", "list", keys).out
    assert old["kid"] in run("keys", "prune", keys).out
    assert [one["signs"] for one in listed(run, keys)] == [True]


def test_the_next_rotation_takes_away_what_is_over_and_prolongs_nothing(run: Run, home: Path) -> None:
    keys = home / "keys"
    (first,) = listed(run, keys)
    run("keys", "rotate", keys, "--overlap-hours", "1")
    until = listed(run, keys)[1]["until"]
    run("keys", "rotate", keys, "--overlap-hours", "9")
    assert {one["kid"]: one["until"] for one in listed(run, keys)}[first["kid"]] == until
    aged(keys, exp=1)
    said = json.loads(run("keys", "rotate", keys, "--json").out)
    assert first["kid"] not in {one["kid"] for one in said["keys"]}
    assert said["keys"][0]["kid"] == said["kid"]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_the_algorithm_may_change(run: Run, home: Path, algorithm: str) -> None:
    said = run("keys", "rotate", home / "keys", "--algorithm", algorithm)
    assert f"`{algorithm}`" in said.out
    assert listed(run, home / "keys")[0]["algorithm"] == algorithm


@pytest.mark.parametrize("command", ["rotate", "list", "prune"])
def test_without_keys_there_is_a_sentence(run: Run, tmp_path: Path, command: str) -> None:
    said = run("keys", command, tmp_path / "none")
    assert said.code == 2
    assert "cannot read the keys" in said.err


def test_two_rotations_at_once_lose_no_key(run: Run, home: Path) -> None:
    keys = home / "keys"
    before = (keys / "jwks.json").read_bytes()
    (keys / "signing-key.json.new").write_text("somebody is at it")
    said = run("keys", "rotate", keys)
    assert (said.code, (keys / "jwks.json").read_bytes()) == (2, before)
    assert (keys / "signing-key.json.new").read_text() == "somebody is at it"


@pytest.mark.parametrize(
    ("member", "words"),
    [({"iat": "x"}, "unknown"), ({"iat": True}, "unknown"), ({"iat": 4_000_000_000}, "0 s"), ({"iat": 0}, " d")],
)
def test_ages_are_told_whatever_the_file_says(run: Run, home: Path, member: dict[str, Any], words: str) -> None:
    aged(home / "keys", **member)
    said = run("keys", "list", home / "keys")
    assert said.code == 0
    assert words in said.out


def test_a_key_that_verifies_for_ever_is_said_so(run: Run, home: Path) -> None:
    run("keys", "rotate", home / "keys")
    document = json.loads((home / "keys" / "jwks.json").read_text())
    del document["keys"][1]["exp"]
    (home / "keys" / "jwks.json").write_text(json.dumps(document))
    assert "\tverifies\t" in run("keys", "list", home / "keys").out
    assert devkeys.prune(home / "keys") == []
