"""What people write into the policy files at three in the morning, and what they are told."""

import json

import pytest

from authz_sidecar.policy.definitions import read_definitions
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.given import object_of
from authz_sidecar.policy.grid import parse_matrix
from authz_sidecar.policy.lines import lines
from authz_sidecar.policy.names import Misspelt, subject
from authz_sidecar.policy.tables import parse_expectations, parse_scopes, subjects
from authz_sidecar.policy.until import Ends
from tests.policy.drawn import files, made

ODD = "odd-tool-name"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        pytest.param("p, role:r, desk, tools/call, echo|delete, deny", ODD, id="alternatives"),
        pytest.param('p, role:r, desk, tools/call, "echo,delete", deny', ODD, id="a list with commas"),
        pytest.param("p, role:r, desk, tools/call, echo delete, deny", ODD, id="a list with blanks"),
        pytest.param("p, role:r, *, *, echo;delete, deny", ODD, id="a list for any method"),
        pytest.param("p, role:r, desk, tools/list, delete_?, deny", ODD, id="a pattern of a shell"),
        pytest.param("p, role:r, desk, tools/*, ^delete, deny", ODD, id="a regular expression"),
        pytest.param("p, role:r, desk, tools/call, ns/tool.v-2_x, deny", None, id="all that a tool may be called"),
        pytest.param("p, role:r, desk, tools/call, corp:재고, deny", None, id="what tools are called all the same"),
        pytest.param("p, role:r, desk, prompts/get, tell a tale, allow", None, id="a prompt"),
        pytest.param("p, role:r, desk, *, db://a?b=c, deny", None, id="a resource"),
    ],
)
async def test_a_tool_that_reads_like_several_is_told(row: str, code: str | None) -> None:
    built = await made(files(row + "\n"))
    assert [one.code for one in built.warnings] == ([code] if code else [])


@pytest.mark.parametrize(
    ("name", "stray"),
    [
        pytest.param("user:m\u0430llory", "CYRILLIC SMALL LETTER A", id="a Cyrillic letter in a Latin word"),
        pytest.param("user:\u043c\u0430p\u0438\u044f", "LATIN SMALL LETTER P", id="a Latin letter in a Cyrillic word"),
        pytest.param("user:alice.\u03bfps", "GREEK SMALL LETTER OMICRON", id="in one word of several"),
        pytest.param("user:\u043c\u0430\u0440\u0438\u044f", None, id="a Cyrillic name behind a Latin kind"),
        pytest.param("user:ops-\u043e\u0442\u0434\u0435\u043b", None, id="a word of each"),
        pytest.param("user:zoë.müller", None, id="accents"),
        pytest.param("user:재고ops", None, id="alphabets that nobody takes for one another"),
    ],
)
async def test_a_name_that_looks_like_another_is_told(name: str, stray: str | None) -> None:
    built = await made(files(f"p, {name}, desk, tools/call, echo, deny\n"))
    assert [(one.code, one.line, one.column) for one in built.warnings] == (
        [("mixed-alphabets", 1, 4)] if stray else []
    )
    assert all(f"has a {stray} among" in one.message for one in built.warnings)


async def test_a_scope_row_for_several_tools_is_told() -> None:
    """It would guard none of them."""
    built = await made(files("p, role:r, desk, *, *, allow\n", scopes="desk,tools/call,echo|delete,s\n"))
    assert [(one.file, one.line, one.column, one.code) for one in built.warnings] == [("scopes.csv", 2, 17, ODD)]


async def test_a_tool_that_is_really_called_so_is_not_told() -> None:
    tools = json.dumps({"desk": {"tools": [{"name": "echo delete"}]}})
    built = await made(files("p, role:r, desk, tools/call, echo delete, deny\n", tools=tools))
    assert built.warnings == ()


@pytest.mark.parametrize("quoted", ["'user:mallory'", "‘user:mallory’", "`user:mallory`"])
def test_a_name_in_other_quotes_is_suggested_without_them(quoted: str) -> None:
    with pytest.raises(Misspelt, match=r"did you mean `user:mallory`$"):
        subject(quoted)


def test_an_end_that_cannot_be_read_is_none() -> None:
    """It is an error; that the row ended in 1969 would be another one."""
    ends = Ends("policy.csv", found := Findings())
    (line,) = lines("policy.csv", b"# until 2027-02-30\n", found)
    ends.note(line)
    assert ends.take(2) is None
    assert [problem.code for problem in found.problems] == ["bad-until"]


def test_a_section_without_its_bracket_is_told() -> None:
    assert read_definitions("model.conf", b"[policy_effect\n", found := Findings()) is None
    assert found.problems[0].message == "unknown section `[policy_effect`, expected `[policy_effect]`"


def test_json_that_is_none_is_told_in_a_sentence() -> None:
    with pytest.raises(Misspelt, match=r"^this is not JSON: it breaks at line 1 column 2: expecting property name"):
        object_of("{a: 1}")


@pytest.mark.parametrize(
    "text", ["user:mallory,user:bob", "user:mallory, role:x", "role:a|role:b", "user:a; user:b", "user:a user:b*"]
)
def test_a_field_with_several_subjects_is_refused(text: str) -> None:
    """As one name, which it would be, it denies nobody."""
    with pytest.raises(Misspelt, match=r"is more than one name, each needs a row$"):
        subject(text)


@pytest.mark.parametrize("text", ["user:cn=alice,ou=ops", "user:role:admin", "user:a b", "user:corp/a|b", "user:x,y:z"])
def test_a_name_with_odd_characters_stays_a_name(text: str) -> None:
    assert subject(text).text == text


@pytest.mark.parametrize("text", ["user:mallory, role:x", "user:mallory,role:x", "user:mallory; role:x", "user:alice,"])
def test_an_expectation_whose_subjects_are_no_names_is_refused(text: str) -> None:
    """It would ask about somebody who does not exist, and `deny` would hold for ever."""
    with pytest.raises(Misspelt) as refused:
        subjects(text)
    assert refused.value.code == "several-names"


@pytest.mark.parametrize(
    ("name", "header", "row"),
    [
        pytest.param("scopes.csv", "server,method,tool,scopes", "desk,tools/call,t,s", id="scopes"),
        pytest.param(
            "expectations.csv",
            "subjects,server,method,tool,scopes,args,expect",
            "user:a,desk,tools/call,t,,,allow",
            id="expectations",
        ),
        pytest.param("matrix.csv", "server,method,tool,user:a", "desk,tools/call,t,allow", id="matrix"),
    ],
)
def test_a_header_that_a_spreadsheet_filled_up_is_read(name: str, header: str, row: str) -> None:
    read = {"scopes.csv": parse_scopes, "expectations.csv": parse_expectations, "matrix.csv": parse_matrix}[name]
    assert read(name, f"{header},,\n{row},,\n".encode(), {}, found := Findings())
    assert found.problems == ()


def test_a_header_with_a_gap_is_none() -> None:
    assert parse_scopes("scopes.csv", b"server,method,,tool,scopes\n", {}, found := Findings()) == ()
    assert [problem.code for problem in found.problems] == ["no-header"]
