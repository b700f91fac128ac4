"""Moves a policy into the database that a fleet shares, checked as at a load, and out of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from authz_sidecar.app import sourcing
from authz_sidecar.app.examine import Report, examine
from authz_sidecar.app.study import study_files
from authz_sidecar.config import Config
from authz_sidecar.errors import AuthzError, ConfigError, PolicyProblems
from authz_sidecar.policy.diff import Difference
from authz_sidecar.policy.opaque import unproved
from authz_sidecar.policy.source import Directory

if TYPE_CHECKING:
    from authz_sidecar.policy.push import Pushed


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


class NewGrants(AuthzError):
    """Somebody could do what they could not, or nobody can tell; nothing was put."""

    code = "new_grants"

    def __init__(self, found: tuple[Difference, ...], unsaid: str) -> None:
        """Take who gains what, or why that cannot be said."""
        super().__init__(unsaid)
        self.found = found
        self.unsaid = unsaid


def put(config: Config, parcel: Parcel, *, closed: bool = False) -> "Pushed":
    """Put a parcel into the database; raises `PolicyProblems` and, when `closed`, `NewGrants`.

    INVARIANT: what is compared is what is replaced: the comparison stands in the very transaction that writes, so that
    nobody can push in between.
    """
    where = sourcing.database(config)
    from authz_sidecar.policy.push import push

    return push(where, parcel.files, partial(_refuse_grants, config, parcel) if closed else None)


def _refuse_grants(config: Config, parcel: Parcel, before: Mapping[str, bytes]) -> None:
    from authz_sidecar.policy.database import whole

    held = whole(before, config.at(config.policy.path), sourcing.database(config).place)
    opens, unsaid = asyncio.run(_compare(config, held, parcel.files))
    if opens or unsaid:
        raise NewGrants(opens, unsaid)


async def _compare(
    config: Config, before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> tuple[tuple[Difference, ...], str]:
    """Say who could do what they could not, and what cannot be said."""
    old, new = await study_files(config, "database", before), await study_files(config, "files", after)
    unsaid = unproved(old.policy.rules, new.policy.rules)
    return tuple(one for one in await new.against(old) if one.change.opens), unsaid


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
