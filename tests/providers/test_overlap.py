"""A real provider rotates its keys under load: the old one stays published for 60 s, and no valid request fails."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from authz_sidecar.wire import authz_pb2 as pb
from tests.app import running as sidecar
from tests.app.running import AUDIENCE, House
from tests.providers import real

pytestmark = [pytest.mark.providers, pytest.mark.timeout(420)]

OVERLAP: Final = 60.0
FRESH: Final = 60
"""Seconds for which the provider lets its key set be kept."""
_PACE: Final = 0.02


class Load:
    """Asks about tokens of both keys over and over, and counts the answers by key and reason."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self.tokens: dict[str, list[str]] = {"old": [], "new": []}
        self.answers: Counter[tuple[str, str]] = Counter()

    async def run(self, over: asyncio.Event) -> None:
        turn = 0
        while not over.is_set():
            for which, tokens in self.tokens.items():
                if tokens:
                    answer = await sidecar.ask(self._stub, tokens[turn % len(tokens)])
                    self.answers[which, pb.Reason.Name(answer.reason)] += 1
            turn += 1
            await asyncio.sleep(_PACE)  # the machine has other things to do for a whole minute

    @property
    def refused(self) -> dict[tuple[str, str], int]:
        return {key: count for key, count in self.answers.items() if key[1] != "REASON_ALLOWED_BY_RULE"}


async def test_sixty_seconds_of_overlap_fail_no_valid_request_and_then_the_old_key_is_over(
    program: Path, house: House
) -> None:
    async with real.running(program, audience=AUDIENCE, algorithm="ES256", lifetime=900, fresh=FRESH) as provider:
        house.configure(
            issuers=f'[[issuers]]\nalias = "idp"\nissuer = "{provider.issuer}"\ndiscovery = true\n'
            'algorithms = ["ES256"]\n'
        )
        async with sidecar.running(house) as stub:
            over, load = asyncio.Event(), Load(stub)
            load.tokens["old"] = [await provider.token() for _ in range(20)]
            assert (await sidecar.ask(stub, load.tokens["old"][0])).allowed
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(load.run(over))
                await provider.keys(sign=1, publish=[0, 1])  # the new key signs at once
                ends = time.monotonic() + OVERLAP
                while time.monotonic() < ends:
                    load.tokens["new"].append(await provider.token())
                    await asyncio.sleep(0.5)
                assert load.refused == {}
                assert load.answers["old", "REASON_ALLOWED_BY_RULE"] > 500
                assert load.answers["new", "REASON_ALLOWED_BY_RULE"] > 500
                await provider.keys(sign=1, publish=[1])
                async with asyncio.timeout(FRESH + 30):
                    while not load.refused:
                        load.tokens["new"].append(await provider.token())
                        await asyncio.sleep(0.5)
                over.set()
            assert {which for which, _ in load.refused} == {"old"}
            # Nothing remembered outlives the key: every old token is over at once, also those in the cache.
            for token in load.tokens["old"]:
                assert (await sidecar.ask(stub, token)).reason == pb.REASON_TOKEN_KEY_UNKNOWN
            for token in load.tokens["new"]:
                assert (await sidecar.ask(stub, token)).allowed
