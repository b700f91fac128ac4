"""The circle of the demo: it is told to its end, and a step that is not as it should be is said and fails it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx2
import pytest

from examples.oauth_flow import callback
from examples.oauth_flow.person import Lost, Page, Person
from examples.oauth_flow.teller import Teller
from tests.matrix.environments import need

ROOT = Path(__file__).parents[2]
REFUSES = """\
from examples.oauth_flow import stage
stage.PASSWORD = "not the one that was seeded"
from examples.oauth_flow.__main__ import main
raise SystemExit(main())
"""
NO_SCOPES = """\
from examples.oauth_flow import __main__, stage
laid_out = stage._laid_out
def without(*given, **options):
    found = laid_out(*given, **options)
    (found.ground.policies / "scopes.csv").unlink()
    (found.ground.policies / "expectations.csv").unlink()
    return found
stage._laid_out = without
raise SystemExit(__main__.main())
"""


@pytest.fixture
def chromium_there() -> None:
    """Skip where it is absent, but never in CI: there, a gate that does not run is a failure."""
    need("chromium")
    if find_spec("playwright") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Playwright is not installed")


@pytest.fixture(name="home")
def _home() -> Iterator[Path]:
    """A short path, since those of Unix sockets must be."""
    home = Path(tempfile.mkdtemp(prefix="flow"))
    yield home / "d"
    shutil.rmtree(home)


def told(home: Path, *program: str, only: str = "own") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *program, "--directory", str(home), "--only", only]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.process
@pytest.mark.timeout(120)
def test_the_circle_is_told_to_its_end(home: Path) -> None:
    done = told(home, "-m", "examples.oauth_flow")
    assert done.returncode == 0, done.stdout + done.stderr
    for wanted in (
        "POST /register 201",
        "types name and password",
        'error="insufficient_scope"',
        "“Allow more for Ops app?”: tickets:write tickets:read",
        "then /revoke 200",
        "the token after: 401",
        "decision log: token_revoked",
    ):
        assert wanted in done.stdout, done.stdout
    assert "not as expected" not in done.stdout


@pytest.mark.providers
@pytest.mark.timeout(300)
def test_the_circle_is_the_same_with_a_foreign_server_but_for_its_end(home: Path) -> None:
    need("node", "npm")
    done = told(home, "-m", "examples.oauth_flow", only="foreign")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "oidc-provider POST /reg 201" in done.stdout
    assert "goes on until its end: 200; the operator runs" in done.stdout
    assert "decision log: token_revoked" in done.stdout


@pytest.mark.browser
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("chromium_there")
def test_the_circle_is_told_by_a_real_browser(home: Path) -> None:
    done = told(home, "-m", "examples.oauth_flow", "--browser")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "“Allow Ops app?”: tickets:read: clicks “Allow”" in done.stdout
    pictures = {path.name for path in (home / "own" / "pictures").iterdir()}
    assert pictures == {"sign-in.png", "allow-ops-app.png", "allow-more-for-ops-app.png"}


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_step_that_is_not_as_it_should_be_is_said_and_fails_the_demo(home: Path) -> None:
    done = told(home, "-c", NO_SCOPES)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not as expected: a challenge that names the scope" in done.stdout, done.stdout


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_person_who_cannot_log_in_is_lost_and_fails_the_demo(home: Path) -> None:
    done = told(home, "-c", REFUSES)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the demo failed: 422 at http://127.0.0.1:" in done.stderr, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_is_read_as_a_person_reads_it() -> None:
    page = Page(
        '<h1>Allow <bdi>Ops &amp; app</bdi>?</h1><code>tickets:read</code><form action="/c">'
        '<input type="hidden" name="csrf" value="&lt;1&gt;"><input name="name"><input type="password" name="secret">'
        '<button name="decision" value="allow">Allow</button><button name="decision" value="decline">No</button>'
        '</form><form action="/logout"><button>x</button></form><a id="onward" href="http://127.0.0.1:1/?a=1&amp;b=2">'
    )
    assert (page.title, page.scopes, page.onward) == (
        "Allow Ops & app?",
        ["tickets:read"],
        "http://127.0.0.1:1/?a=1&b=2",
    )
    assert [form.action for form in page.forms] == ["/c", "/logout"]
    assert page.forms[0].hidden == {"csrf": "<1>"}
    assert page.forms[0].fields == {"name": "text", "secret": "password"}
    assert page.forms[0].button == ("decision", "allow")


async def test_the_callback_gives_what_came_back_and_ignores_everything_else() -> None:
    async with callback.waiting() as found, httpx2.AsyncClient(timeout=5) as http:
        await http.get(found.url.replace("/callback", "/favicon.ico"))
        answer = await http.get(found.url, params={"code": "1", "state": "2"})
        assert "Back in the app" in answer.text
        assert await found.returned() == {"code": "1", "state": "2"}


async def test_pages_that_lead_nowhere_are_told() -> None:
    async with callback.waiting() as found:
        person = Person(name="alice", password="secret")
        with pytest.raises(Lost, match=r"200 at .*Back in the app"):
            await person.visit(found.url.replace("/callback", "/other"), "http://127.0.0.1:1/elsewhere")
        await person.leave()


def test_whoever_tells_remembers_what_was_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller()
    teller.check(True, "good")
    assert teller.end() == 0
    teller.check(False, "a 401")
    teller.check(True, "good")
    assert teller.end() == 1
    assert "not as expected: a 401" in capsys.readouterr().out
