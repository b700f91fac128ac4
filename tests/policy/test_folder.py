"""A directory of many policy files: read in the order of their names, each named in problems, all in the revision."""

import os
import tempfile
from pathlib import Path

import pytest

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.policy import files
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Origin, Refused
from authz_sidecar.policy.parse import parse
from tests.policy.plainly import MODEL, Told, allowed, make_store, shipped, write

BASE = {"policy.csv": b"p, role:a, ops-assistant, tools/call, x, allow\n", "model.conf": MODEL}


def folder(directory: Path, **texts: str) -> Path:
    (directory / "policy.d").mkdir(parents=True, exist_ok=True)
    return write(directory, {f"policy.d/{name}.csv": text.encode() for name, text in texts.items()})


def refused(directory: Path) -> tuple[Problem, ...]:
    with pytest.raises(PolicyProblems) as caught:
        files.read(directory)
    return caught.value.problems


def test_the_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    folder(tmp_path, b="g, user:b, role:a\n", a="g, user:a, role:a\n", c="# nothing\n")
    (tmp_path / "policy.d/notes.txt").write_text("not read")
    (tmp_path / "policy.d/.a.csv.swp").write_text("not read")
    (tmp_path / "policy.d/a.csv~").write_text("not read")
    found = Findings()
    read = files.read(tmp_path)
    parsed = parse(read, found)
    assert sorted(read) == ["model.conf", "policy.csv", "policy.d/a.csv", "policy.d/b.csv", "policy.d/c.csv"]
    assert [(row.source, row.line) for row in parsed.rules.memberships] == [
        ("policy.d/a.csv", 1),
        ("policy.d/b.csv", 1),
    ]
    assert not found.problems


def test_problems_and_repetitions_name_their_file(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    folder(
        tmp_path,
        a="p, role:a, ops-assistant, tools/call, x, allow\np, role:a, s, m, t, permit\n",
        b="g, role:a, role:b\n",
        c="g, role:b, role:a\n",
    )
    found = Findings()
    parse(files.read(tmp_path), found)
    assert [str(problem) for problem in found.problems] == [
        "policy.d/a.csv:2:21: unknown effect `permit`, expected `allow` or `deny`",
        (
            "policy.d/b.csv:1:4: membership cycle: `role:a` (line 1) → `role:b` (policy.d/c.csv:1) → `role:a`, "
            "remove one of these rows"
        ),
    ]
    assert "policy.d/a.csv:1:1: says the same as policy.csv:1" in map(str, found.warnings)


def test_every_file_is_part_of_the_revision(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    before = files.revision(files.read(tmp_path), b"")
    folder(tmp_path, a="g, user:a, role:a\n")
    one = files.revision(files.read(tmp_path), b"")
    (tmp_path / "policy.d/a.csv").rename(tmp_path / "policy.d/b.csv")
    assert len({before, one, files.revision(files.read(tmp_path), b"")}) == 3


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: (path / "b.csv").write_text("# new\n"), id="another file"),
        pytest.param(lambda path: (path / "a.csv").unlink(), id="a deleted file"),
        pytest.param(lambda path: (path / "a.csv").rename(path / "c.csv"), id="a renamed file"),
        pytest.param(lambda path: (path / "a.csv").write_text("# other\n"), id="an edited file"),
    ],
)
def test_a_change_in_the_folder_is_seen(tmp_path: Path, change: object) -> None:
    write(tmp_path, BASE)
    folder(tmp_path, a="g, user:a, role:a\n")
    before = files.signature(tmp_path)
    change(tmp_path / "policy.d")  # type: ignore[operator]
    assert files.signature(tmp_path) != before


def test_the_swap_file_of_an_editor_in_the_folder_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    folder(tmp_path, a="g, user:a, role:a\n")
    before = files.signature(tmp_path)
    (tmp_path / "policy.d/.a.csv.swp").write_text("")
    (tmp_path / "policy.d/4913").write_text("")
    assert files.signature(tmp_path) == before


@pytest.mark.parametrize(
    ("make", "file", "code"),
    [
        pytest.param(lambda path: (path / "A.CSV").touch(), "policy.d/A.CSV", "odd-name", id="upper case"),
        pytest.param(lambda path: (path / "a\n.csv").touch(), "policy.d/a\\n.csv", "odd-name", id="a line end"),
        pytest.param(
            lambda path: (path / os.fsdecode(b"a\xff.csv")).touch(), "policy.d/a\\udcff.csv", "odd-name", id="no UTF-8"
        ),
        pytest.param(lambda path: (path / "a.csv").symlink_to("no"), "policy.d/a.csv", "missing", id="dangling link"),
        pytest.param(lambda path: (path / "a.csv").mkdir(), "policy.d/a.csv", "unreadable", id="directory"),
    ],
)
def test_what_looks_like_a_policy_file_and_is_none_is_refused(
    tmp_path: Path, make: object, file: str, code: str
) -> None:
    folder(write(tmp_path, BASE))
    make(tmp_path / "policy.d")  # type: ignore[operator]
    assert [(problem.file, problem.code) for problem in refused(tmp_path)] == [(file, code)]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, BASE | {"policy.d": b""})
    assert [(problem.file, problem.code) for problem in refused(tmp_path)] == [("policy.d/", "unreadable")]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    folder(write(tmp_path, BASE), **{f"n{number}": "" for number in range(files.MOST + 1)})
    assert [problem.code for problem in refused(tmp_path)] == ["too-many"]


def test_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_TOGETHER", 10)
    assert [problem.code for problem in refused(write(tmp_path, BASE))] == ["too-large"]


async def test_a_folder_is_loaded_kept_and_recovered(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    folder(policies, people="g, user:noor, role:support\n", denied="p, user:eve, *, *, *, deny\n")
    store = make_store(tmp_path, tell=Told())
    assert isinstance(await store.load(), Applied)
    assert await allowed(store, "user:noor", "create_ticket")
    (policies / "policy.d/people.csv").write_text("g, user:noor\n")
    outcome = await store.load()
    assert isinstance(outcome, Refused)
    assert [str(problem) for problem in outcome.problems] == [
        "policy.d/people.csv:1:1: this g row has 2 fields, expected 3: g, member, role"
    ]
    again = make_store(tmp_path, tell=Told())
    await again.load()
    assert again.status.origin is Origin.LAST_GOOD
    assert await allowed(again, "user:noor", "create_ticket")


async def test_a_folder_that_held_most_rows_and_is_gone_waits_for_a_person(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", BASE)
    folder(policies, people="".join(f"g, user:u{number}, role:a\n" for number in range(9)))
    store = make_store(tmp_path, tell=Told())
    await store.load()
    (policies / "policy.d/people.csv").unlink()
    assert isinstance(await store.load(), NeedsConfirmation)


@pytest.mark.parametrize("name", ["policy.csv", "scopes.csv", "policy.d/a.csv", "policy.d"])
def test_what_this_user_may_not_read_is_refused(name: str) -> None:
    """A scope file or a file with denials that cannot be read must not count as none, also where tests run as root."""
    with tempfile.TemporaryDirectory() as made:
        directory = write(Path(made), BASE | {"scopes.csv": b"server,method,tool,scopes\n"})
        folder(directory, a="p, user:eve, *, *, *, deny\n")
        directory.chmod(0o755)
        (directory / name).chmod(0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65_534)
        try:
            assert [(one.file.rstrip("/"), one.code) for one in refused(directory)] == [(name, "unreadable")]
        finally:
            if root:
                os.seteuid(0)
            (directory / name).chmod(0o700)
