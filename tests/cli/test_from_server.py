"""`init --from-server`: everything that a running MCP server offers, as rows to choose from, in both eras."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.cli import mcplists, offered
from authz_sidecar.cli.root import cli
from authz_sidecar.errors import ConfigError
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse_policy
from authz_sidecar.policy.tools import parse_tools

TOOLS = [{"name": "lookup", "description": "Look\nit up.", "inputSchema": {"type": "object"}}, {"name": "delete_*"}]
OFFERED = {"tools": {}, "resources": {}, "logging": {}}
TEMPLATES = [{"uriTemplate": "inventory://items/{number}", "name": "item"}]


class Fake:
    """An MCP server of one era; `answer` may be replaced by what no server should say."""

    def __init__(self, *, modern: bool, streams: bool = False, token: str = "") -> None:
        self.modern, self.streams, self.token = modern, streams, token
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.raw: tuple[int, str, bytes] | None = None

    def answer(self, message: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        method, params = message["method"], message.get("params", {})
        self.asked.append((method, headers))
        if self.modern and headers.get("mcp-method") != method:
            return {"error": {"code": -32020, "message": "the header says something else"}}
        if method == "server/discover" and self.modern:
            return {"result": {"capabilities": OFFERED}}
        if method == "initialize":
            return {"result": {"protocolVersion": "2025-06-18", "capabilities": OFFERED}}
        if not self.modern and method != "server/discover":
            assert headers["mcp-protocol-version"] == "2025-06-18"
            assert headers["mcp-session-id"] == "s1"
        match method, params.get("cursor"):
            case "tools/list", None:
                return {"result": {"tools": TOOLS[:1], "nextCursor": "2"}}
            case "tools/list", "2":
                return {"result": {"tools": TOOLS[1:]}}
            case "resources/list", None:
                return {"result": {"resources": []}}
            case "resources/templates/list", None:
                return {"result": {"resourceTemplates": TEMPLATES}}
        return {"error": {"code": -32601, "message": "unknown"}}


@contextmanager
def serving(fake: Fake) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if fake.raw is not None:
                return self.say(*fake.raw)
            if fake.token and headers.get("authorization") != f"Bearer {fake.token}":
                return self.say(401, "text/plain", b"")
            found = fake.answer(message, headers)
            if "id" not in message:
                return self.say(202, "text/plain", b"")
            data = json.dumps({"jsonrpc": "2.0", "id": message["id"]} | found).encode()
            if fake.streams:
                noise = b': hello\r\n\r\nevent: message\r\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\r\n\r\n'
                return self.say(200, "text/event-stream; charset=utf-8", noise + b"data: " + data + b"\r\n\r\n")
            return self.say(400 if "error" in found else 200, "application/json", data)

        def say(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Mcp-Session-Id", "s1")
            if status == 302:
                self.send_header("Location", "http://192.0.2.1/")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/mcp"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def init(directory: Path, *arguments: str, **environment: str) -> Result:
    command = ["init", str(directory), "--server", "ops", *arguments]
    return CliRunner(env=environment).invoke(cli, command, standalone_mode=False)


@pytest.mark.parametrize(
    "fake",
    [
        pytest.param(Fake(modern=True), id="stateless"),
        pytest.param(Fake(modern=True, streams=True), id="stateless, in events"),
        pytest.param(Fake(modern=False), id="sessions"),
        pytest.param(Fake(modern=False, streams=True), id="sessions, in events"),
        pytest.param(Fake(modern=False, token="t0k"), id="behind a token"),
    ],
)
def test_everything_on_offer_becomes_rows_to_choose_from(tmp_path: Path, fake: Fake) -> None:
    with serving(fake) as url:
        run = init(tmp_path, "--from-server", url, AUTHZ_TOKEN=fake.token)
    assert run.return_value == 0, run.output
    text = (tmp_path / "policies/policy.csv").read_text()
    assert text.endswith(
        "\n# -- Tools --\n"
        "# - Look it up.\n"
        "# p, role:user, ops, tools/call, lookup,    allow\n"
        "# p, role:user, ops, tools/call, delete_\\*, allow\n"
        "\n# -- Resource templates: everything that begins so --\n"
        "# p, role:user, ops, resources/read, inventory://items/*, allow\n"
        "\n# -- Logging --\n"
        "# - Some clients, such as the MCP Inspector, set a level first, and give up when they may not.\n"
        "# p, role:user, ops, logging/setLevel, *, allow\n"
    )
    assert f'audience = "{url}"' in (tmp_path / "authz.toml").read_text()
    tools = json.loads((tmp_path / "policies/tools.json").read_text())
    assert tools == {"ops": {"tools": TOOLS, "resources": [], "resourceTemplates": TEMPLATES}}
    found = Findings()
    assert parse_policy(text.encode(), {}, found) == ((), ())
    check = CliRunner().invoke(cli, ["policy", "lint", "--config", str(tmp_path / "authz.toml")], standalone_mode=False)
    assert check.return_value == 0, check.output


def test_a_server_without_logging_gets_no_row_for_it(tmp_path: Path) -> None:
    class Silent(Fake):
        def answer(self, message: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
            found = super().answer(message, headers)
            return {"result": {"capabilities": {"tools": {}}}} if message["method"] == "server/discover" else found

    with serving(Silent(modern=True)) as url:
        init(tmp_path, "--from-server", url)
    assert "logging" not in (tmp_path / "policies/policy.csv").read_text()


def test_a_chosen_row_is_a_row(tmp_path: Path) -> None:
    with serving(Fake(modern=True)) as url:
        init(tmp_path, "--from-server", url)
    policy = tmp_path / "policies/policy.csv"
    policy.write_text(policy.read_text().replace("# p, role:user", "p, role:user").replace("# g, user:", "g, user:"))
    check = CliRunner().invoke(
        cli, ["policy", "lint", "--json", "--config", str(tmp_path / "authz.toml")], standalone_mode=False
    )
    assert json.loads(check.stdout)["ok"] is True


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param((401, "text/plain", b""), "answers 401, give a --token-file", id="no token"),
        pytest.param((403, "text/plain", b""), "answers 403, give a --token-file", id="not allowed"),
        pytest.param((302, "text/plain", b""), "leads elsewhere (302)", id="a redirect"),
        pytest.param((200, "text/html", b"<html>"), "cannot be asked", id="a web page"),
        pytest.param(
            (404, "application/json", b'{"error": {"message": "no\\u001b[2J"}}'), "'no\\x1b[2J'", id="hostile"
        ),
        pytest.param((200, "application/json", b"[" * 100_000), "cannot be asked", id="deep JSON"),
        pytest.param((200, "text/event-stream", b"data: 1\n" * 9), "cannot be asked", id="events that answer nothing"),
        pytest.param((200, "application/json", b" " * 9_000_000), "larger than", id="too much"),
        pytest.param(
            (200, "application/json", b'{"id":2,"result":{"capabilities":{"tools":{}}}}'), "gave no list", id="no list"
        ),
    ],
)
def test_what_does_not_answer_as_mcp_is_said_and_nothing_is_written(
    tmp_path: Path, raw: tuple[int, str, bytes], says: str
) -> None:
    fake = Fake(modern=True)
    fake.raw = raw
    with serving(fake) as url:
        run = init(tmp_path, "--from-server", url)
    assert isinstance(run.exception, ConfigError)
    assert says in str(run.exception)
    assert not list(tmp_path.iterdir())


def test_a_list_without_an_end_is_not_followed_for_ever() -> None:
    class Endless(Fake):
        def answer(self, message: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
            if message["method"] == "tools/list":
                return {"result": {"tools": [], "nextCursor": "again"}}
            return super().answer(message, headers)

    with serving(Endless(modern=True)) as url, pytest.raises(ConfigError, match="more than 200 pages"):
        mcplists.lists(url)


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        pytest.param("ftp://x/", "", "is not a URL", id="another scheme"),
        pytest.param("mcp", "", "is not a URL", id="no scheme"),
        pytest.param("http://192.0.2.1/mcp", "t0k", "in clear", id="a token in clear"),
        pytest.param("http://127.0.0.1:1/mcp", "", "no answer from", id="nobody there"),
    ],
)
def test_an_address_that_cannot_be_asked_is_said(url: str, token: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        mcplists.lists(url, token)
    assert "t0k" not in str(caught.value)


_HOSTILE = ["a\np, user:evil, *, *, *, allow", "a\r\n", " a", "a\\b", "", "a\u200bb", '"', "x,y", "#", "*", "a*b", "é"]


@given(st.lists(st.text() | st.sampled_from(_HOSTILE)), st.text())
def test_whatever_a_server_calls_its_tools_nothing_is_granted(names: list[str], description: str) -> None:
    entries = [{"name": name, "uri": name, "uriTemplate": name, "description": description} for name in names]
    lists = dict.fromkeys(("tools", "prompts", "resources", "resourceTemplates"), entries)
    found = offered.choice("ops", lists)
    problems = Findings()
    assert parse_policy(found.text.encode(), {}, problems) == ((), ())
    assert not problems.problems
    chosen = found.text.replace("# p, ", "p, ").encode()
    rules, _ = parse_policy(chosen, {}, problems)
    assert not problems.problems
    assert len(rules) == found.rows
    spelled = {rule.tool.text for rule in rules if rule.method.text == "tools/call"}
    assert spelled | set(found.unnamed) >= set(filter(None, names))
    parse_tools("tools.json", offered.tools_json("ops", lists).encode(), Findings())
