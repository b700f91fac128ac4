"""Every case of the corpus, over a real socket: it is refused, or decided on exactly the bytes that go on."""

import json
import re
import socket
from collections.abc import Iterator

import pytest

from authz_sidecar.wire import authz_pb2 as wire
from tests.smuggling.corpus import FOLDER, Case, cases
from tests.smuggling.fronts import STARTS, Front, standing

_STATUS = re.compile(rb"(?:^|(?<=\n)|(?<=\}))HTTP/1\.1 (\d{3})")
CASES = [pytest.param(case, id=f"{file}: {case.name}") for file, case in cases()]


@pytest.fixture(scope="module", params=[pytest.param(name, id=name) for name in STARTS])
def front(request: pytest.FixtureRequest) -> Iterator[Front]:
    with standing(request.param) as found:
        yield found


def statuses(front: Front, case: Case) -> list[int]:
    """Send a case and give the status of every answer, or 0 where the connection ends without one."""
    said = b""
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as line:
        try:
            line.sendall(case.sent())
            if case.cut:
                line.shutdown(socket.SHUT_WR)
            while piece := line.recv(65_536):
                said += piece
        except ConnectionError:  # it had enough before we had said everything
            pass
    return [int(found) for found in _STATUS.findall(said)] or [0]


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_refused_or_decided_on_the_bytes_that_go_on(front: Front, case: Case) -> None:
    front.server.bodies.clear()
    front.server.scopes.clear()
    front.table.asked.clear()
    found = statuses(front, case)
    assert [body for body in front.server.bodies if first(body) != json.loads(body)] == []
    if not case.judged or (case.expect and not front.server.bodies):
        assert front.server.bodies == []
        assert set(found) <= set(case.expect)
        return
    assert front.server.bodies == [case.content]
    assert found == [200, *case.also]
    asked = next(one for one in front.table.asked if isinstance(one, wire.CheckRequest) and one.token)
    told = {"method": asked.method, "tool": asked.tool, "arguments": asked.arguments_json.decode()}
    assert told == {"arguments": ""} | case.judged
    seen = str(front.server.scopes[-1]["headers"])
    assert [text for text in ("token-alice", *case.unseen) if text in seen] == []


def first(body: bytes) -> object:
    """Read JSON as one who takes the first of two keys."""
    return json.loads(body, object_pairs_hook=lambda pairs: dict(reversed(pairs)))


def test_the_corpus_is_large_and_no_name_is_there_twice() -> None:
    names = [(file, case.name) for file, case in cases()]
    assert len(names) >= 80
    assert len(set(names)) == len(names)
    assert {path.suffix for path in FOLDER.iterdir()} == {".toml"}
