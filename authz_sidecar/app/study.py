"""A policy to be asked, compared and replayed, without putting it in force."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from authz_sidecar.app import translate
from authz_sidecar.app.conditions import conditions
from authz_sidecar.app.sourcing import read
from authz_sidecar.config import Config
from authz_sidecar.engines import registry
from authz_sidecar.errors import ConfigError, PolicyProblems, Problem
from authz_sidecar.model import Server
from authz_sidecar.policy import coverage, diff, logs, replay, suggest
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.policy.callers import described
from authz_sidecar.policy.files import NAMES
from authz_sidecar.policy.grid import MATRIX
from authz_sidecar.policy.matrix import Matrix, fill
from authz_sidecar.policy.opaque import unproved, unsaid
from authz_sidecar.policy.parse import EXPECTATIONS, FOLDER, POLICY
from authz_sidecar.policy.questions import Grant, Questions, target
from authz_sidecar.policy.spelling import Spelling
from authz_sidecar.policy.stored import ROWS
from authz_sidecar.policy.tools import Tools
from authz_sidecar.ports import Policy
from authz_sidecar.rules import ScopeHierarchy

_SAME_LANGUAGE: Final = frozenset({"casbin", "plain"})
"""Engines that mean what the index means, and cost more with every row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A policy that loads, and what it is held against."""

    place: str
    """The directory, for people."""
    policy: Policy
    servers: Mapping[str, Server]
    hierarchy: ScopeHierarchy
    tools: Tools
    warnings: tuple[Problem, ...]
    spelling: Spelling = field(default_factory=Spelling)

    @property
    def current(self) -> Policy:
        """Give the policy, as who decides asks for it."""
        return self.policy

    @property
    def unsaid(self) -> str:
        """Say what cannot be told about this policy, for people; empty when all can."""
        return unsaid(self.policy.rules)

    @property
    def questions(self) -> Questions:
        """Give what asks it."""
        return Questions(policy=self.policy, servers=self.servers, hierarchy=self.hierarchy, tools=self.tools)

    async def who_can(self, server: str, method: str, tool: str) -> list[Grant]:
        """Give every name's answer for one call; raises `ConfigError` and `EngineError`."""
        return [grant async for grant in self.questions.who_can(target(self.server(server), method, tool))]

    async def what_can(self, subjects: tuple[str, ...]) -> list[Grant]:
        """Give what these names together get, for every call that a row for them speaks to.

        Raises `EngineError`, and `BadRequest` when they are no caller.
        """
        described(subjects)
        return [grant async for grant in self.questions.what_can(subjects)]

    async def matrix(self, *, servers: frozenset[str] = frozenset(), kinds: frozenset[str] = frozenset()) -> Matrix:
        """Give names times calls; raises `EngineError`, and `ConfigError` when there are too many."""
        for name in servers:
            self.server(name)
        return await fill(self.questions, servers=servers, kinds=kinds)

    async def coverage(self) -> coverage.Coverage:
        """Measure its own tests; raises `EngineError`."""
        return await coverage.measure(self.policy, self.servers, self.hierarchy)

    async def against(self, old: "Study") -> tuple[diff.Difference, ...]:
        """Say who gains and who loses what when this one follows the other; raises `EngineError`."""
        tools = Tools(offers={**old.tools.offers, **self.tools.offers})
        return await diff.compare(old.policy, self.policy, self.servers, self.hierarchy, tools)

    def unproved(self, old: "Study") -> str:
        """Say why nobody can tell who gains what when this one follows the other; empty when `against` says all."""
        return unproved(old.policy.rules, self.policy.rules)

    async def replay(self, log: logs.Log) -> list[replay.Changed]:
        """Give the past answers that would be other ones; raises `EngineError`."""
        return [one async for one in replay.replay(log, self.policy, self.servers, self.hierarchy)]

    async def suggest(self, log: logs.Log, *, by_user: bool) -> suggest.Suggested:
        """Give rows for what was denied because no row spoke for it; raises `EngineError` and `ConfigError`."""
        return await suggest.suggest(
            log, self.policy, self.servers, self.hierarchy, by_user=by_user, spelling=self.spelling
        )

    def server(self, name: str) -> str:
        """Give the name of a configured server, the only one where none is named; raises `ConfigError`."""
        if not name and len(self.servers) == 1:
            return next(iter(self.servers))
        if name not in self.servers:
            known = ", ".join(f"`{one}`" for one in sorted(self.servers))
            raise ConfigError(f"no server is called `{name}`, name one of {known} with --server")
        return name


async def study(config: Config, directory: Path | None = None) -> Study:
    """Load a policy directory, the configured one by default; raises `PolicyProblems` when it does not load."""
    where = directory or config.policy.database or config.at(config.policy.path)
    return await study_files(config, str(where), await read(config, directory))


async def study_with(config: Config, place: str, data: bytes) -> Study:
    """Load the configured policy with one file instead of its own; raises `PolicyProblems`.

    The file is the one of this name, or else `policy.csv`. Expectations are not asked: they may be those of another
    edit.
    """
    name = place.rpartition("/")[2]
    known = set(NAMES) - {EXPECTATIONS, MATRIX}
    found = await read(config)
    instead = name if name in known else f"{FOLDER}{name}" if f"{FOLDER}{name}" in found else POLICY
    kept = {one: text for one, text in found.items() if one not in (EXPECTATIONS, MATRIX)}
    if instead == POLICY:
        kept.pop(ROWS, None)  # of a database
    return await study_files(config, place, {**kept, instead: data})


async def study_files(config: Config, place: str, found: Mapping[str, bytes]) -> Study:
    """Load the files of a policy, wherever they are from; raises `PolicyProblems` when it does not load."""
    built = await _built(found, config)
    if built.policy is None:
        raise PolicyProblems(built.problems)
    return Study(
        place=place,
        policy=built.policy,
        servers=translate.servers(config),
        hierarchy=translate.hierarchy(config),
        tools=built.parsed.tools,
        warnings=built.warnings,
        spelling=Spelling(shape=built.parsed.shape, plain=translate.plain_subjects(config)),
    )


async def _built(found: Mapping[str, bytes], config: Config) -> Built:
    built = await build(found, setting_of(config, fast=True))
    if built.policy is None and config.policy.engine in _SAME_LANGUAGE:
        # A model that the index does not take is one that the configured engine may take.
        return await build(found, setting_of(config))
    return built


def setting_of(config: Config, *, fast: bool = False) -> Setting:
    """Give what the policy of this configuration is held against; raises `ConfigError`.

    With `fast`, the index stands for the built-in engines that say the same and cost more with every row.
    """
    name = config.policy.engine
    return Setting(
        engine=registry.load("index" if fast and name in _SAME_LANGUAGE else name),
        servers=translate.servers(config),
        qualified_by=translate.qualified_by(config),
        claim_mapping=translate.claim_mapping(config),
        plain_subjects=translate.plain_subjects(config),
        conditions=conditions(config),
        hierarchy=translate.hierarchy(config),
        carried=translate.carried(config),
    )
