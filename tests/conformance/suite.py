"""Runs the conformance suite against a server and reads what each check said."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.matrix import environments

HERE: Final = Path(__file__).parent
_WAIT: Final = 240.0
_RUN: Final = re.compile(r"-\d{4}-\d\d-\d\dT[\dZ-]+$")
RANK: Final[Mapping[str, int]] = {"FAILURE": 0, "WARNING": 1, "SKIPPED": 2, "INFO": 3, "SUCCESS": 3}
"""How good a status is; a protected server may not fall behind in any check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run said: how it ended, and the status of every check by scenario, id and how often it came before."""

    exit_code: int
    checks: Mapping[tuple[str, str, int], str]
    output: str

    @property
    def passed(self) -> int:
        """How many checks passed, as the suite counts them."""
        return sum(status == "SUCCESS" for status in self.checks.values())

    def count(self, status: str) -> int:
        """Count the checks of a status."""
        return sum(found == status for found in self.checks.values())

    def worse_than(self, other: "Result") -> list[str]:
        """Name every check that fell behind, or that is not there at all."""
        return [
            f"{'/'.join(map(str, check))}: {status} became {self.checks.get(check, 'ABSENT')}"
            for check, status in other.checks.items()
            if RANK.get(self.checks.get(check, "FAILURE"), 0) < RANK[status]
        ]


async def run(url: str, requirements: str, out: Path) -> Result:
    """Run every scenario of a requirement set against a URL."""
    program = environments.node(HERE / "node") / ".bin" / "conformance"
    process = await asyncio.create_subprocess_exec(
        *(str(environments.new_node()), str(program), "server", "--url", url),
        *("--requirements", requirements, "-o", str(out)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_WAIT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Result(exit_code=process.returncode, checks=read(out), output=output.decode())


def read(out: Path) -> dict[tuple[str, str, int], str]:
    """Read the checks that a run left behind, one folder a scenario."""
    found: dict[tuple[str, str, int], str] = {}
    for file in sorted(out.glob("*/checks.json")):
        scenario = _RUN.sub("", file.parent.name).removeprefix("server-")
        seen: Counter[str] = Counter()
        for check in json.loads(file.read_text()):
            found[scenario, check["id"], seen[check["id"]]] = check["status"]
            seen[check["id"]] += 1
    return found
