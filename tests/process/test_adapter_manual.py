"""`docs/protect-a-server.md` says what is so: every option of the adapter, and answers as they are given."""

import inspect
import json
import re
from pathlib import Path
from typing import Final

import httpx
import pytest

from examples.demo import processes
from mcp_adapter import AuthzMiddleware
from tests.process.grounds import Ground, playground, token

ROOT: Final = Path(__file__).parents[2]
MANUAL: Final = (ROOT / "docs" / "protect-a-server.md").read_text()
OPTIONS: Final = dict(re.findall(r"^\| `(\w+)` \| (\S.*?) \|", MANUAL, re.MULTILINE))
EXAMPLES: Final = re.findall(r"```http\nHTTP/1.1 (\d+)\n(.*?)\n*(\{.*?\})\n```", MANUAL, re.DOTALL)


def test_every_option_is_told_with_its_default_and_no_other() -> None:
    real = {
        name: "required" if parameter.default is inspect.Parameter.empty else parameter.default
        for name, parameter in inspect.signature(AuthzMiddleware).parameters.items()
    }
    assert list(OPTIONS) == list(real)
    for name, default in real.items():
        told = OPTIONS[name].strip("`").replace('"', "'")
        assert told == (default if default == "required" else repr(default)), name


def test_the_five_lines_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for line in re.findall(r"```python\n(import uvicorn.*?)```", MANUAL, re.DOTALL)[0].splitlines():
        assert line in readme


@pytest.mark.process
@pytest.mark.timeout(120)
def test_the_examples_are_real_answers(shared: Ground) -> None:
    alice = token(shared.playground, "alice")
    answers = [
        shared.call("list_tickets"),
        shared.call("list_tickets", token(shared.playground, "alice", exp=1_000_000_000)),
        shared.call("create_ticket", alice, title="Printer", body="On fire"),
        shared.call("delete_ticket", alice, ticket_id=1),
    ]
    for answer, example in zip(answers, EXAMPLES, strict=False):
        _same(answer, *example)


@pytest.mark.process
@pytest.mark.timeout(120)
def test_the_answer_without_a_sidecar_is_real() -> None:
    with playground() as ground, processes.ops_assistant(ground):
        _same(Ground(ground).call("list_tickets", "a.b.c"), *EXAMPLES[4])


def _same(answer: httpx.Response, status: str, headers: str, body: str) -> None:
    assert str(answer.status_code) == status
    told = dict(line.split(": ", 1) for line in headers.splitlines())
    shown = {name: value for name, value in answer.headers.items() if name in ("www-authenticate", "retry-after")}
    assert shown == told
    found = answer.json()
    if "data" in found["error"]:
        found["error"]["data"]["decision_id"] = "…"
    assert found == json.loads(body)
