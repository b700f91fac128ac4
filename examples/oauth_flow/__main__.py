"""`make demo-oauth`: the whole circle of OAuth before the gateway, from 401 to a working call and to its end."""

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp.client.auth import OAuthFlowError

from examples.demo.processes import ROOT, DemoError
from examples.oauth_flow import chromium, foreign, stage
from examples.oauth_flow.app import Browser, Refused
from examples.oauth_flow.circle import OWN, Circle, Server
from examples.oauth_flow.person import Lost, Person
from examples.oauth_flow.teller import Teller

_OWN = "Our authorization server (authz-sidecar oauth serve), and a person who"
_FOREIGN = "A foreign authorization server (oidc-provider, from npm), and the same person"
_TOLD = (DemoError, Lost, Refused, TimeoutError, OAuthFlowError, chromium.NoBrowser, foreign.NotInstalled)


def main() -> int:
    """Run it; 0 when every step was as expected."""
    options = argparse.ArgumentParser(prog="python -m examples.oauth_flow", description=__doc__)
    options.add_argument("--browser", action="store_true", help="let a real Chromium log in at our server")
    options.add_argument("--only", choices=("own", "foreign"), help="one authorization server instead of both")
    options.add_argument("--directory", type=Path, default=ROOT / "var" / "demo-oauth", help="for all its files")
    chosen = options.parse_args()
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # what it would log comes up as an exception, too
    teller, failed = Teller(), ""
    try:
        if chosen.only != "foreign":
            _own(chosen.directory / "own", teller, browser=chosen.browser)
        if chosen.only != "own":
            _foreign(chosen.directory / "foreign", teller, needed=chosen.only is not None)
    except* _TOLD as errors:
        failed = str(_first(errors))
    if failed:
        print(f"the demo failed: {failed}", file=sys.stderr)
        return 1
    return teller.end()


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _own(directory: Path, teller: Teller, *, browser: bool) -> None:
    with stage.own(directory) as place:
        teller.title(f"{_OWN} {'types into a real Chromium' if browser else 'fills in its forms'}")
        asyncio.run(_circle(place, OWN, teller, browser=browser))


def _foreign(directory: Path, teller: Teller, *, needed: bool) -> None:
    try:
        with foreign.running(directory) as place:
            teller.title(_FOREIGN)
            asyncio.run(_circle(place, foreign.SERVER, teller, browser=False))
    except foreign.NotInstalled as error:
        if needed:
            raise
        teller.left_out(f"{_FOREIGN}: left out, {error}")


async def _circle(place: stage.Stage, server: Server, teller: Teller, *, browser: bool) -> None:
    async with _sitting(place, browser=browser) as person:
        await Circle(stage=place, server=server, browser=person, teller=teller).run()


@asynccontextmanager
async def _sitting(place: stage.Stage, *, browser: bool) -> AsyncIterator[Browser]:
    if browser:
        pictures = place.ground.directory / "pictures"
        pictures.mkdir()
        async with chromium.opened(stage.NAME, stage.PASSWORD, pictures) as found:
            yield found
        return
    person = Person(name=stage.NAME, password=stage.PASSWORD)
    try:
        yield person
    finally:
        await person.leave()


if __name__ == "__main__":
    sys.exit(main())
