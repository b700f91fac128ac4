"""Checks a policy directory without putting it in force."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.model import Revision, Server
from authz_sidecar.policy.build import Setting, build
from authz_sidecar.policy.ending import ending, reminders
from authz_sidecar.policy.lint import ANY_KIND
from authz_sidecar.policy.source import Directory, Source
from authz_sidecar.policy.whens import NONE, Conditions
from authz_sidecar.ports import PolicyEngine
from authz_sidecar.rules import Rules, ScopeHierarchy


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found. It is true when there is no problem; warnings are no problems."""

    rules: Rules
    """The rows that are sound."""
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    expectations_run: int
    revision: Revision | None
    """None when the files could not be read."""

    def __bool__(self) -> bool:
        """Say whether the policy would load."""
        return not self.problems


async def check(
    where: Path | Source,
    *,
    engine: PolicyEngine,
    servers: Mapping[str, Server],
    qualified_by: frozenset[str] = frozenset(),
    claim_mapping: bytes = b"",
    plain_subjects: bool = False,
    hierarchy: ScopeHierarchy | None = None,
    conditions: Conditions = NONE,
    carried: frozenset[str] = ANY_KIND,
) -> Report:
    """Read, parse, validate and compile the files and run their expectations, exactly as a load does.

    Whatever is wrong is in the report, also when the files cannot be read.
    """
    setting = Setting(
        engine=engine,
        servers=servers,
        qualified_by=qualified_by,
        claim_mapping=claim_mapping,
        plain_subjects=plain_subjects,
        hierarchy=hierarchy or ScopeHierarchy(),
        carried=carried,
        conditions=conditions,
    )
    source = Directory(where) if isinstance(where, Path) else where
    try:
        found = await asyncio.to_thread(source.read)
    except PolicyProblems as error:
        return Report(rules=Rules(), problems=error.problems, warnings=(), expectations_run=0, revision=None)
    built = await build(found, setting)
    return Report(
        rules=built.rules,
        problems=built.problems,
        warnings=built.warnings + reminders(ending(built.rules), setting.clock()),
        expectations_run=built.expectations_run,
        revision=built.revision,
    )
