"""A file that is cut short: refused, or waiting for a person, or never more permissive than before."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.judge import judge
from authz_sidecar.model import Principal, Question
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.policy.losses import Size, ended, loss
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Refused, Unchanged
from authz_sidecar.ports import Policy
from authz_sidecar.rules import ScopeHierarchy
from tests.effort import examples
from tests.policy.plainly import SERVERS, LinearEngine, make_store, shipped, write

SETTING = Setting(engine=LinearEngine(), servers=SERVERS, hierarchy=ScopeHierarchy())
USERS = ("alice", "vera", "adam", "mallory", "stranger", "a", "ad")
ROLES = ("", "viewer", "support", "admin", "v", "s")
CALLS = (
    ("tools/call", "lookup_inventory"),
    ("tools/call", "list_tickets"),
    ("tools/call", "create_ticket"),
    ("tools/call", "delete_ticket"),
    ("tools/call", "other"),
    ("tools/list", "delete_ticket"),
    ("resources/read", "inventory://spares"),
    ("resources/read", "i"),
    ("prompts/get", "triage_ticket"),
)


async def made(files: Mapping[str, bytes]) -> Built:
    """Build without the pauses that make room for others: here is nobody else."""
    return await build(files, SETTING, hurry=True)


async def granted(policy: Policy) -> set[tuple[str, str, bool, str, str]]:
    """Give everything that the policy allows, with scopes and without."""
    found = set()
    for user, role, scoped, (method, tool) in itertools.product(USERS, ROLES, (False, True), CALLS):
        principal = Principal(
            issuer="i",
            subject=user,
            user=f"user:{user}",
            groups=frozenset({f"role:{role}"} if role else ()),
            scopes=frozenset({"tickets:write"} if scoped else ()),
            expires_at=0,
        )
        question = Question(method=method, tool=tool)
        if await judge(policy, principal, SERVERS["ops-assistant"], question, SETTING.hierarchy):
            found.add((user, role, scoped, method, tool))
    return found


@pytest.mark.parametrize("tested", [True, False], ids=["beside its expectations", "without expectations"])
async def test_the_shipped_policy_cut_at_any_byte_opens_nothing(tested: bool) -> None:
    files = shipped()
    if not tested:
        del files["expectations.csv"]
    whole = await made(files)
    assert whole.policy is not None
    before = await granted(whole.policy)
    fates = dict.fromkeys(("refused", "waiting", "taken"), 0)
    judged: set[object] = set()
    data = files["policy.csv"]
    for size in range(len(data)):
        built = await made(files | {"policy.csv": data[:size]})
        if built.policy is None:
            fates["refused"] += 1
        elif loss(Size.of(whole.rules), Size.of(built.rules)):
            fates["waiting"] += 1
        else:
            fates["taken"] += 1
            key = tuple(row.text for row in (*built.rules.rules, *built.rules.memberships))
            if key not in judged:
                judged.add(key)
                assert await granted(built.policy) <= before, f"cut at byte {size}"
    assert fates["refused"] > 0
    assert fates["waiting"] > 0 or tested


async def test_the_store_takes_no_cut_that_loses_what_is_expected(tmp_path: Path) -> None:
    policies = write(tmp_path / "policies", shipped())
    store = make_store(tmp_path)
    await store.load()
    policy = store.current
    before = await granted(policy)
    data = shipped()["policy.csv"]
    cuts = [place for place, byte in enumerate(data) if byte == ord("\n")]
    for cut in [cut + extra for cut in cuts[::3] for extra in (0, 1)]:
        write(policies, {"policy.csv": data[:cut]})
        match await store.load():
            case Refused() | NeedsConfirmation():
                assert store.status.stale
            case Applied() | Unchanged():
                assert await granted(store.current) <= before


SAYS_MORE_WHEN_CUT = {
    "a role": ("policy.csv", "g, user:noor, role:support_lead\n", len("_lead\n")),
    "a scope": ("scopes.csv", "ops-assistant,tools/call,other,a b\n", len(" b\n")),
}


@pytest.mark.parametrize("restarted", [False, True], ids=["while running", "at a start"])
@pytest.mark.parametrize("case", ["a role", "a scope"])
async def test_a_line_that_is_sound_and_says_more_when_cut_waits_for_a_person(
    tmp_path: Path, case: str, restarted: bool
) -> None:
    name, line, lost = SAYS_MORE_WHEN_CUT[case]
    files = shipped()
    policies = write(tmp_path / "policies", {**files, name: files[name] + line.encode()})
    store = make_store(tmp_path)
    first = await store.load()
    assert isinstance(first, Applied)
    write(policies, {name: files[name] + line.encode()[:-lost]})
    store = make_store(tmp_path) if restarted else store
    outcome = await store.load()
    assert isinstance(outcome, NeedsConfirmation)
    assert f"the last line of `{name}` has no line end" in outcome.problems[0].message
    assert store.current.revision == first.revision
    assert isinstance(await store.load(confirm=True), Applied)


async def test_a_last_line_without_an_end_that_is_whole_or_new_is_taken(tmp_path: Path) -> None:
    files = shipped()
    policies = write(tmp_path / "policies", files)
    store = make_store(tmp_path)
    await store.load()
    for line in (b"g, user:noor, role:viewer", b"g, user:noor, role:viewer\ng, user:nora, role:viewer", b"# a rem"):
        write(policies, {"policy.csv": files["policy.csv"] + line})
        assert isinstance(await store.load(), Applied), line


@settings(max_examples=examples(100), deadline=None)
@given(
    st.sampled_from(["scopes.csv", "expectations.csv", "model.conf"]),
    st.floats(min_value=0, max_value=1, exclude_max=True),
)
async def test_another_file_cut_short_opens_nothing(name: str, share: float) -> None:
    files = shipped()
    whole = await made(files)
    assert whole.policy is not None
    built = await made(files | {name: files[name][: int(share * len(files[name]))]})
    if built.policy is not None and not loss(Size.of(whole.rules), Size.of(built.rules)):
        assert await granted(built.policy) <= await granted(whole.policy)


ROWS = [line for line in shipped()["policy.csv"].decode().splitlines() if line and not line.startswith("#")]
DENIES = [f"p, {who}, *, {method}, *, deny" for who in ("user:vera", "role:admin") for method in ("*", "tools/call")]


@settings(max_examples=examples(60), deadline=None)
@given(st.sets(st.sampled_from(ROWS)), st.sets(st.sampled_from(ROWS)), st.sets(st.sampled_from(DENIES)))
async def test_fewer_allowing_rows_and_more_denying_rows_grant_nothing(
    keep: set[str], more: set[str], denies: set[str]
) -> None:
    mallory = ROWS[0]
    files = shipped()
    del files["expectations.csv"]
    large = await made(files | {"policy.csv": "\n".join([mallory, *keep, *more]).encode()})
    small = await made(files | {"policy.csv": "\n".join([mallory, *keep, *denies]).encode()})
    assert large.policy is not None
    assert small.policy is not None
    assert await granted(small.policy) <= await granted(large.policy)


END = b"# end\n"


async def test_a_file_that_loses_its_end_waits_for_a_person_wherever_it_is_cut(tmp_path: Path) -> None:
    files = shipped()
    del files["expectations.csv"]
    files["policy.csv"] += END
    home = tmp_path / "policies"
    store = make_store(tmp_path, directory=write(home, files))
    assert isinstance(await store.load(), Applied)
    lines = files["policy.csv"].splitlines(keepends=True)
    for kept in range(len(lines)):
        write(home, {"policy.csv": b"".join(lines[:kept])})
        outcome = await store.load()
        assert isinstance(outcome, NeedsConfirmation | Refused), kept
    write(home, files)
    assert isinstance(await store.load(), Unchanged)


async def test_an_end_is_remembered_across_a_restart(tmp_path: Path) -> None:
    files = shipped()
    home = write(tmp_path / "policies", {**files, "policy.csv": files["policy.csv"] + END})
    assert isinstance(await make_store(tmp_path, directory=home).load(), Applied)
    write(home, files)
    again = make_store(tmp_path, directory=home)
    waiting = await again.load()
    assert isinstance(waiting, NeedsConfirmation)
    assert "`policy.csv` no longer ends with the line `# end`" in str(waiting.problems[0])
    assert isinstance(await again.load(confirm=True), Applied)
    assert isinstance(await make_store(tmp_path, directory=home).load(), Applied | Unchanged)


async def test_rows_below_the_end_wait_too(tmp_path: Path) -> None:
    files = shipped()
    home = write(tmp_path / "policies", {**files, "policy.csv": files["policy.csv"] + END})
    store = make_store(tmp_path, directory=home)
    await store.load()
    write(home, {"policy.csv": files["policy.csv"] + END + b"g, user:noor, role:viewer\n"})
    assert isinstance(await store.load(), NeedsConfirmation)
    write(home, {"policy.csv": files["policy.csv"] + b"g, user:noor, role:viewer\n" + END})
    assert isinstance(await store.load(), Applied)


@pytest.mark.parametrize(
    ("text", "is_end"),
    [
        pytest.param(b"p\n# end\n", True, id="a last line"),
        pytest.param(b"p\n# end", True, id="without a line end"),
        pytest.param(b"# end\r\n\r\n", True, id="blank lines behind it"),
        pytest.param(b'p\n"# end",,,,\n', True, id="as a spreadsheet saves it"),
        pytest.param(b"p\n#end\n", True, id="without a blank"),
        pytest.param(b"p\n# end\np\n", False, id="a row behind it"),
        pytest.param(b"p\n# the end\n", False, id="another note"),
        pytest.param(b"p\n# ended\n", False, id="another word"),
        pytest.param(b"p, # end\n", False, id="behind a row"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"p" * 990 + b"\n# end" + b" " * 9, True, id="a long file"),
        pytest.param(b"p" * 990 + b"# end" + b" " * 995, False, id="behind more blanks than anybody looks at"),
    ],
)
def test_what_is_an_end(text: bytes, is_end: bool) -> None:
    assert ended({"policy.csv": text, "tools.json": END}) == ({"policy.csv"} if is_end else set())
