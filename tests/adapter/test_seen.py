"""What each caller was shown is remembered, shared and bounded, to be compared after an edit."""

import pytest

from mcp_adapter.pdp import Item
from mcp_adapter.principal import Principal
from mcp_adapter.seen import Seen
from tests.adapter.open_streams import Teller

ALICE = Principal(issuer="i", subject="alice")
BOB = Principal(issuer="i", subject="bob")


def page(*names: str, method: str = "tools/list") -> list[Item]:
    return [Item(method=method, tool=name) for name in names]


async def look(seen: Seen, who: Principal, heard: int, *hidden: str) -> dict[str, int]:
    async def sift(items):
        return tuple(item.tool not in hidden for item in items)

    return await seen.look(who, heard, sift)


async def test_all_pages_of_all_lists_count(teller: Teller):
    seen = Seen()
    seen.note(ALICE, page("a", "b"), [True, False])
    seen.note(ALICE, page("c"), [True])
    seen.note(ALICE, page("note://a", method="resources/list"), [True])
    seen.note(ALICE, page("note://{x}", method="resources/templates/list"), [True])
    assert await look(seen, ALICE, 1, "b") == {}
    assert await look(seen, ALICE, 2, "b", "c") == {"tools": 1}
    assert await look(seen, ALICE, 3, "b", "c", "note://{x}") == {"tools": 1, "resources": 1}
    assert await look(seen, ALICE, 3) == {"tools": 1, "resources": 1}
    assert seen.versions(ALICE) == {"tools": 1, "resources": 1}


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([], id="an empty list"),
        pytest.param(page("t", method="tasks/list"), id="tasks, which no policy edit makes"),
        pytest.param(page(*map(str, range(1001))), id="a page that is too long"),
    ],
)
async def test_what_is_not_remembered(items):
    seen = Seen()
    seen.note(ALICE, items, [True] * len(items))
    assert await look(seen, ALICE, 1, *(item.tool for item in items)) == {}


async def test_nobody_is_remembered_who_was_not_verified():
    seen = Seen()
    seen.note(None, page("a"), [True])
    assert seen.versions(None) == {}
    assert await seen.look(None, 1, None) == {}  # type: ignore[arg-type]


async def test_memory_is_bounded():
    seen = Seen(most=3)
    for number in range(50):
        who = Principal(issuer="i", subject=f"u{number}")
        for at in range(20):
            seen.note(who, page(f"tool-{number}-{at}"), [True])
    assert len(seen._callers) == 3
    assert all(len(caller.pages) == 16 for caller in seen._callers.values())
    assert len(seen) == len(seen._pages) == 3 * 16


async def test_a_page_of_a_caller_is_shared_with_all_who_see_it():
    seen = Seen()
    for number in range(5):
        seen.note(Principal(issuer="i", subject=f"u{number}"), page("a", "b"), [True, number > 2])
    pages = {id(page) for caller in seen._callers.values() for page in caller.pages}
    assert len(pages) == 1


def test_lists_that_never_read_alike_twice_are_not_kept_for_ever():
    seen = Seen()
    for number in range(100):
        seen.note(ALICE, page(f"log-{number}", "log"), [True, True])
        seen.note(BOB, page(f"log-{number}", "log"), [True, True])
    assert len(seen) == 2 * 16


def test_callers_are_forgotten_when_there_are_too_many_names():
    seen = Seen(names=5)
    seen.note(ALICE, page("a", "b", "c"), [True] * 3)
    seen.note(BOB, page("a", "b", "c"), [True] * 3)
    assert len(seen) == 3
    seen.note(ALICE, page("d", "e", "f"), [True] * 3)
    assert len(seen) == 6
    seen.note(BOB, page("a", "b", "c"), [True] * 3)
    assert len(seen) == 3
