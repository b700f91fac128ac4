"""Moves a policy into the database that a fleet shares, checked as at a load, and out of it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from authz_sidecar.app import sourcing
from authz_sidecar.app.examine import Report, examine
from authz_sidecar.app.study import study
from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError, PolicyProblems
from authz_sidecar.policy.diff import Difference
from authz_sidecar.policy.source import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A directory that was checked, as it is to be put."""

    files: dict[str, bytes]
    report: Report


async def pack(config: Config, directory: Path) -> Parcel:
    """Read and check a directory; raises `PolicyProblems` when a sidecar would refuse it."""
    found = await asyncio.to_thread(Directory(directory).read)
    report = await examine(config, directory)
    if report.problems:
        raise PolicyProblems(report.problems)
    if await asyncio.to_thread(Directory(directory).read) != found:
        raise ConfigError(f"{directory}: the files changed while they were checked, push again")
    return Parcel(files=found, report=report)


async def opens(config: Config, directory: Path) -> tuple[Difference, ...]:
    """Say who could do what they cannot by what the database holds; raises `PolicyProblems` where that holds none."""
    before, after = await study(config), await study(config, directory)
    return tuple(one for one in await after.against(before) if one.change.opens)


async def pull(config: Config) -> dict[str, bytes]:
    """Give what the database holds as the files of a directory; raises `PolicyProblems`."""
    where = sourcing.database(config)
    from authz_sidecar.policy.database import Database
    from authz_sidecar.policy.pull import as_files

    source = Database(where)
    try:
        return as_files(await asyncio.to_thread(source.read))
    finally:
        await asyncio.to_thread(source.close)
