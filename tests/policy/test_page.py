"""The matrix as a page and as words for other programs: nothing from outside, nothing breaks out."""

import asyncio
import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import ConfigError, Problem
from authz_sidecar.policy import matrix as matrices
from authz_sidecar.policy.matrix import Matrix, fill
from authz_sidecar.policy.page import page
from authz_sidecar.policy.questions import Questions
from authz_sidecar.policy.sarif import annotations, sarif
from authz_sidecar.policy.tools import Tools
from authz_sidecar.ports import Policy
from tests.policy.drawn import CALM, HIERARCHY, SERVERS, loaded, policies, questions, scopes

RULES = """\
p, role:r, desk, tools/call,       t,      allow
p, role:r, desk, tools/call,       u*,     allow
p, user:m, *,    *,                *,      deny
p, role:r, shop, logging/setLevel, *,      allow
g, user:a, role:r
"""
VOID = {"meta", "wbr"}


class Reader(HTMLParser):
    """Sees that every element is closed, and keeps the words and the attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def filled(policy: Policy, **chosen: frozenset[str]) -> Matrix:
    wanted = {"servers": frozenset[str](), "kinds": frozenset[str]()} | chosen
    return asyncio.run(fill(questions(policy), **wanted))


def written(policy: Policy) -> str:
    return page(filled(policy), title="<title>", revision="sha256:0")


def test_the_page_says_who_may_do_what() -> None:
    text = written(loaded(RULES, scopes="desk,tools/call,t,s1\n"))
    words = "".join(Reader(text).words)
    for said in (
        "user:a",
        "role:r",
        "any other u*",
        "s1",
        "policy.csv:1",
        "policy.csv:3",
        "the method itself",
        "<title>",
    ):
        assert said in words


def test_the_page_loads_and_runs_nothing_and_its_style_is_named_by_its_hash() -> None:
    text = written(loaded(RULES))
    reader = Reader(text)
    assert not reader.tags & {"script", "link", "img", "iframe", "form", "object", "base"}
    assert not {name for name in reader.attributes if name.startswith("on")} | reader.attributes & {
        "src",
        "href",
        "style",
    }
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" in text
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_names_cannot_break_out_of_the_page() -> None:
    text = written(loaded('p, "user:<script>alert(1)</script>", desk, tools/call, "<b>&\'""", allow\n'))
    assert not Reader(text).tags & {"script", "b>"}
    assert "<script" not in text


def test_with_many_names_each_call_lists_who_may() -> None:
    rows = "".join(f"p, user:u{number}, desk, tools/call, t, allow\n" for number in range(20))
    deny = "p, user:u3, desk, tools/call, *, deny\np, user:u4, desk, tools/call, z, allow\n"
    text = written(loaded(rows + deny, scopes="desk,tools/call,z,s1\n"))
    assert '<table class="list">' in text
    words = "".join(Reader(text).words)
    assert "no: user:u3" in words
    assert "user:u4: s1" in words


@CALM
@given(policies, scopes)
def test_every_policy_makes_a_sound_page(policy: str, scope_rows: str) -> None:
    Reader(written(loaded(policy, scopes=scope_rows)))


def test_servers_and_kinds_can_be_chosen() -> None:
    policy = loaded(RULES)
    assert {one.server for one in filled(policy, servers=frozenset({"desk"})).targets} == {"desk"}
    assert [one.label for one in filled(policy, kinds=frozenset({"role:"})).names] == ["role:r"]


def test_a_matrix_that_nobody_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrices, "MOST", 3)
    with pytest.raises(ConfigError, match="more than 3 answers, narrow it"):
        filled(loaded(RULES))
    monkeypatch.undo()
    table = filled(loaded(RULES), servers=frozenset({"desk"}))
    monkeypatch.setattr(matrices, "MOST", 2)
    with pytest.raises(ConfigError, match="more than 2 cells, narrow it"):
        list(matrices.as_csv(table))


def test_a_policy_of_patterns_alone_has_no_matrix_csv() -> None:
    with pytest.raises(ConfigError, match="names nobody or nothing"):
        list(matrices.as_csv(filled(loaded("p, user:*, desk, tools/call, *, allow\n"))))


def test_names_of_any_spelling_stand_in_matrix_csv() -> None:
    policy = loaded('p, "user:a, b", desk, tools/call, "t ""1"" #2", allow\n')
    head, row = matrices.as_csv(filled(policy))
    assert (head, row) == ('server, method, tool, "user:a, b"', 'desk, tools/call, "t ""1"" #2", allow')


FOUND = [
    Problem("policy.csv", 3, 7, "unknown-effect", "what: 100%\nreally"),
    Problem("model.conf", 0, 0, "missing", "is missing"),
    Problem("/abs/x,y", 2, 0, "odd:code", "m"),
]


def test_sarif_places_every_finding_and_names_its_rule() -> None:
    log = sarif(FOUND[:1], FOUND[1:], version="1", directory="policies/")
    (run,) = log["runs"]  # type: ignore[index] # JSON
    assert [result["level"] for result in run["results"]] == ["error", "warning", "warning"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "policies/policy.csv"},
        "region": {"startLine": 3, "startColumn": 7},
    }
    assert "region" not in run["results"][1]["locations"][0]["physicalLocation"]
    assert {result["ruleId"] for result in run["results"]} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}


@pytest.mark.parametrize(
    ("directory", "file", "uri"),
    [
        pytest.param("policies", "policy.d/a team, 50%.csv", "policies/policy.d/a%20team%2C%2050%25.csv", id="blanks"),
        pytest.param("policies", "policy.d/#ü.csv", "policies/policy.d/%23%C3%BC.csv", id="beyond ASCII"),
        pytest.param("", "casbin_rule:id 17", "casbin_rule%3Aid%2017", id="a row of a database is no scheme"),
        pytest.param(".", "policy.csv", "policy.csv", id="the directory one stands in"),
        pytest.param("x", "/abs/policy.csv", "file:///abs/policy.csv", id="a whole path"),
        pytest.param("a\udcff", "policy.csv", "a%5Cudcff/policy.csv", id="a name of other bytes"),
    ],
)
def test_sarif_spells_places_as_uri_references(directory: str, file: str, uri: str) -> None:
    log = sarif([Problem(file, 1, 1, "odd", "odd")], [], version="1", directory=directory)
    (result,) = log["runs"][0]["results"]  # type: ignore[index] # JSON
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}


def test_annotations_cannot_be_broken_out_of() -> None:
    assert list(annotations(FOUND[:1], FOUND[1:], directory="policies")) == [
        "::error file=policies/policy.csv,line=3,col=7,title=unknown-effect::what: 100%25%0Areally",
        "::warning file=policies/model.conf,title=missing::is missing",
        "::warning file=/abs/x%2Cy,line=2,title=odd%3Acode::m",
    ]


@given(st.text(max_size=20))
def test_an_annotation_is_one_line(text: str) -> None:
    (line,) = annotations([Problem(text, 1, 1, text, text)], [], directory=text)
    assert "\n" not in line


def test_the_style_sheet_is_shipped() -> None:
    sheet = Path(matrices.__file__).with_name("page.css").read_text("utf-8")
    assert "prefers-color-scheme: dark" in sheet
    assert "@media print" in sheet


def test_recorded_tools_have_a_line_of_their_own() -> None:
    from authz_sidecar.policy.tools import Offer

    tools = Tools(offers={("shop", "tools/call"): Offer(names=frozenset({"sell"}))})
    asked = Questions(policy=loaded(RULES), servers=SERVERS, hierarchy=HIERARCHY, tools=tools)
    table = asyncio.run(fill(asked, servers=frozenset(), kinds=frozenset()))
    assert "nobody" not in page(table, title="t", revision="r")
    assert ("shop", "sell") in {(one.server, one.tool) for one in table.targets}
