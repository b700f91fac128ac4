"""A look at configuration and policy before they run."""

from dataclasses import dataclass
from pathlib import Path

from authz_sidecar.app import translate
from authz_sidecar.app.conditions import conditions
from authz_sidecar.app.sourcing import Sourced, sourced
from authz_sidecar.config import Config
from authz_sidecar.engines import registry
from authz_sidecar.errors import Problem
from authz_sidecar.policy.check import check
from authz_sidecar.policy.source import Directory, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a look at configuration or policy found."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    expectations_run: int
    revision: str
    summary: str


async def examine(config: Config, directory: Path | None = None) -> Report:
    """Check a policy directory, the configured source by default, without putting it in force."""
    looked = Sourced(source=Directory(directory)) if directory else sourced(config)
    try:
        return await _examine(config, looked.source)
    finally:
        await looked.close()


async def _examine(config: Config, source: Source) -> Report:
    found = await check(
        source,
        engine=registry.load(config.policy.engine),
        servers=translate.servers(config),
        qualified_by=translate.qualified_by(config),
        claim_mapping=translate.claim_mapping(config),
        plain_subjects=translate.plain_subjects(config),
        conditions=conditions(config),
        hierarchy=translate.hierarchy(config),
        carried=translate.carried(config),
    )
    rows = found.rules
    return Report(
        problems=found.problems,
        warnings=found.warnings,
        expectations_run=found.expectations_run,
        revision=found.revision or "",
        summary=(
            f"{rows.size} rules, {len(rows.memberships)} memberships, {len(rows.scopes)} scope rows, "
            f"{found.expectations_run} expectations hold"
        ),
    )


async def rehearse(config: Config) -> Report:
    """Read everything that `serve` reads, keys and addresses too; raises `ConfigError`."""
    translate.issuers(config)
    translate.tcp(config)
    return await examine(config)
