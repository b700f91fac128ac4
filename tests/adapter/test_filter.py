"""One message with lists: what may be seen passes, byte for byte, and nothing else."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter.filter import Filter, Unreadable
from tests.adapter.answers import answer
from tests.adapter.bench import Said, call


def hiding(*names: str, modern: bool = False):
    pdp = Said()
    pdp.hidden = set(names)
    asked = []

    async def sift(items):
        asked.append([(item.method, item.tool) for item in items])
        return tuple(item.tool not in names for item in items)

    return Filter(sift, modern=modern), asked


@pytest.mark.parametrize(
    ("key", "name", "method"),
    [
        ("tools", "name", "tools/list"),
        ("prompts", "name", "prompts/list"),
        ("resources", "uri", "resources/list"),
        ("resourceTemplates", "uriTemplate", "resources/templates/list"),
    ],
)
async def test_each_kind_of_list_is_filtered_by_one_question(key, name, method):
    found, asked = hiding("x:2")
    entries = [{name: f"x:{n}", "n": 9007199254740993} for n in (3, 2, 1)]
    got = json.loads(await found.payload(answer({key: entries, "nextCursor": "c"})))
    assert got["result"] == {key: [entries[0], entries[2]], "nextCursor": "c"}
    assert asked == [[(method, "x:3"), (method, "x:2"), (method, "x:1")]]
    assert (found.listed, found.hidden) == (2, 1)


@pytest.mark.parametrize(
    ("modern", "said", "expected"),
    [(True, {}, "private"), (False, {}, None), (False, {"cacheScope": "public"}, "private")],
)
async def test_a_filtered_list_is_marked_as_the_callers_own(modern, said, expected):
    found, _ = hiding(modern=modern)
    got = json.loads(await found.payload(answer({"tools": [], **said})))
    assert got["result"].get("cacheScope") == expected


@pytest.mark.parametrize(
    "entry",
    [{}, {"name": ""}, {"name": 5}, {"name": None}, {"name": "x" * 2049}],
    ids=["no name", "empty name", "number", "null", "long name"],
)
async def test_an_entry_that_nobody_could_call_is_hidden_without_asking(entry):
    found, asked = hiding()
    assert json.loads(await found.payload(answer({"tools": [entry]})))["result"]["tools"] == []
    assert asked == []


async def test_a_resource_that_could_not_be_read_and_a_task_are_hidden():
    found, asked = hiding()
    got = json.loads(await found.payload(answer({"resources": [{"uri": "f:/../x"}], "tasks": [{"taskId": "1"}]})))
    assert got["result"] == {"resources": [], "tasks": []}
    assert asked == []


async def test_lists_in_an_array_of_messages_are_filtered():
    found, _ = hiding("b")
    batch = b"[" + answer({"tools": [{"name": "a"}, {"name": "b"}]}) + b"," + call("ping") + b"]"
    got = json.loads(await found.payload(batch))
    assert got[0]["result"]["tools"] == [{"name": "a"}]
    assert got[1]["method"] == "ping"


@pytest.mark.parametrize(
    "data",
    [call("notifications/x", number=None), answer({"content": []}), answer(None), b'{"id":1,"error":{"code":1}}'],
    ids=["notification", "no list", "null", "error"],
)
async def test_other_messages_pass_byte_for_byte(data):
    found, _ = hiding("a")
    assert await found.payload(data) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"5",
        b'"a"',
        b"[1]",
        answer({"tools": {}}),
        answer({"tools": [1]}),
        b"\xef\xbb\xbf{}",
        b'{"result":{}',
        b"\xff",
    ],
)
async def test_an_answer_that_cannot_be_read_is_not_passed(data):
    found, _ = hiding()
    with pytest.raises(Unreadable):
        await found.payload(data)


@given(st.binary(max_size=80))
async def test_any_answer_passes_or_is_unreadable(data):
    found, _ = hiding()
    with suppress(Unreadable):
        await found.payload(data)


async def test_the_first_of_two_equal_keys_is_not_seen_either():
    found, _ = hiding("secret")
    data = b'{"id":1,"result":{"tools":[{"name":"secret"}],"tools":[{"name":"a","name":"secret"},{"name":"b"}]}}'
    assert b"secret" not in await found.payload(data)
