import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.browser.running import Running, running

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 10_000


def _need(what: str, there: bool) -> None:
    """Skip where a part is absent, but never in CI: there, a gate that does not run is a failure."""
    if not there:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is not installed, and CI is set")
        pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real Chromium without windows."""
    _need("Playwright", find_spec("playwright") is not None)
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    _need("Chromium", program is not None)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a tab of a fresh browser profile; scripts are off, since no page needs any."""
    opened = []

    def open_tab(**options: Any) -> Any:
        context = chromium.new_context(**{"java_script_enabled": False, "locale": "en", **options})
        context.set_default_timeout(WAIT_MS)
        opened.append(context)
        return context.new_page()

    yield open_tab
    for context in opened:
        context.close()
