"""Makes a policy from files: parse, validate, compile, run its own tests."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from authz_sidecar.errors import EngineError, PolicyProblems, Problem
from authz_sidecar.model import Revision, Server
from authz_sidecar.policy import expect, files
from authz_sidecar.policy.ending import EndingPolicy, ending
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.lint import ANY_KIND, lint
from authz_sidecar.policy.parse import MODEL, POLICY, Parsed, parse
from authz_sidecar.policy.validate import validate
from authz_sidecar.policy.whens import NONE, Conditions
from authz_sidecar.ports import Clock, CompiledPolicy, Policy, PolicyEngine
from authz_sidecar.rules import Rules, ScopeHierarchy


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the files of a policy are held against."""

    engine: PolicyEngine
    servers: Mapping[str, Server]
    qualified_by: frozenset[str] = frozenset()
    """The aliases of the issuers when there are several; empty when there is one."""
    claim_mapping: bytes = b""
    """How claims become names, in any fixed form: it is part of the revision."""
    hierarchy: ScopeHierarchy
    carried: frozenset[str] = ANY_KIND
    """The kinds of names that a token can carry, for example `user:`."""
    plain_subjects: bool = False
    """Whether the subjects of `policy.csv` have no prefix."""
    clock: Clock = time.time
    """By which grants end."""
    conditions: Conditions = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What became of the files; `policy` is there only when there is no problem."""

    revision: Revision
    rules: Rules
    policy: Policy | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    expectations_run: int
    parsed: Parsed


async def build(found_files: Mapping[str, bytes], setting: Setting) -> Built:
    """Make a policy and report all that is wrong with it; the heavy part runs in a thread."""
    found = Findings()
    parsed, compiled = await asyncio.to_thread(_compile, found_files, setting, found)
    revision = files.revision(found_files, setting.claim_mapping)
    policy, ran = None, 0
    if compiled is not None:
        policy = Policy(revision=revision, rules=parsed.rules, compiled=compiled)
        # By the rows as they stand: an expectation must not fail, and a restart not be refused, because time goes by.
        ran = await expect.run(policy, setting.servers, setting.hierarchy, found)
        if ending(parsed.rules):
            policy = replace(policy, compiled=EndingPolicy(compiled, parsed.rules, setting.clock))
    return Built(
        revision=revision,
        rules=parsed.rules,
        policy=None if found.problems else policy,
        problems=found.problems,
        warnings=found.warnings,
        expectations_run=ran,
        parsed=parsed,
    )


def _compile(
    found_files: Mapping[str, bytes], setting: Setting, found: Findings
) -> tuple[Parsed, CompiledPolicy | None]:
    parsed = parse(found_files, found, plain=setting.plain_subjects, conditions=setting.conditions)
    validate(parsed, setting.servers, setting.qualified_by, found)
    if found.problems:
        return parsed, None
    lint(parsed, setting.servers, setting.carried, found)
    if parsed.rules.foreign is not None and getattr(setting.engine, "foreign", False) is not True:
        message = f"only Casbin can read this model, and the engine `{setting.engine.name}` does not ask it"
        found.error(MODEL, 0, 0, "engine", f"{message}; configure `casbin`")
        return parsed, None
    try:
        return parsed, setting.engine.compile(parsed.rules)
    except PolicyProblems as error:
        found.extend(error.problems)
    except EngineError as error:
        found.error(POLICY, 0, 0, "engine", f"engine {setting.engine.name} cannot compile this: {error}")
    return parsed, None
