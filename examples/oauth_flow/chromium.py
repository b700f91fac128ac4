"""A person with a real browser: a headless Chromium, driven by Playwright."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WAIT_MS: Final = 20_000
_STEPS: Final = 6


class NoBrowser(Exception):
    """It cannot be had here; the message says why."""


@dataclass(slots=True, kw_only=True)
class Chromium:
    """Types and clicks as a person would; says yes to everything."""

    name: str
    password: str
    page: Any
    pictures: Any = None
    """Where a picture of each page is left, or None."""

    async def visit(self, url: str, callback: str) -> list[str]:
        """Go where the pages lead until the application's own address; tells what was shown."""
        seen: list[str] = []
        await self.page.goto(url)
        for _ in range(_STEPS):
            # The page after a form leads on by itself, so wait until the address is one to act upon.
            await self.page.wait_for_selector("form:not([action$='/logout']), h1:has-text('Back in the app')")
            if self.page.url.startswith(callback):
                return seen
            title = (await self.page.inner_text("h1")).strip()
            scopes = await self.page.locator("ul.scopes code").all_inner_texts()
            await self._picture(title)
            done = await self._act()
            seen.append(": ".join(filter(None, (f"“{title}”", " ".join(scopes), done))))
        raise TimeoutError(f"the pages led nowhere in {_STEPS} steps, the last at {self.page.url}")

    async def _act(self) -> str:
        password = self.page.locator("input[type=password]")
        if await password.count():
            await self.page.fill("input[name=name]", self.name)
            await password.fill(self.password)
            await password.press("Enter")
            done = "types name and password"
        else:
            button = self.page.locator("form button[value=allow]")
            done = f"clicks “{(await button.inner_text()).strip()}”"
            await button.click()
        await self.page.wait_for_load_state()
        return done

    async def _picture(self, title: str) -> None:
        if self.pictures is not None:
            name = "".join(letter if letter.isalnum() else "-" for letter in title.lower()).strip("-")
            await self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True)


@asynccontextmanager
async def opened(name: str, password: str, pictures: Any = None) -> AsyncIterator[Chromium]:
    """Open a browser with a fresh profile until the block ends; raises `NoBrowser`."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if find_spec("playwright") is None or program is None:
        raise NoBrowser("it needs Playwright (`pip install playwright`) and Chromium from the system's packages")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        context = await browser.new_context(java_script_enabled=False, locale="en")
        context.set_default_timeout(_WAIT_MS)
        try:
            yield Chromium(name=name, password=password, page=await context.new_page(), pictures=pictures)
        finally:
            await browser.close()
