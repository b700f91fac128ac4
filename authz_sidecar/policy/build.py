"""Makes a policy from files: parse, validate, compile, run its own tests."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from authz_sidecar.errors import EngineError, PolicyProblems, Problem
from authz_sidecar.model import Revision, Server
from authz_sidecar.policy import expect, files
from authz_sidecar.policy.ending import EndingPolicy, check_ends, ending
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.gently import gently, settle
from authz_sidecar.policy.lint import ANY_KIND, lint
from authz_sidecar.policy.parse import MODEL, POLICY, Parsed, parse
from authz_sidecar.policy.validate import validate
from authz_sidecar.policy.whens import NONE, Conditions
from authz_sidecar.ports import Clock, CompiledPolicy, Policy, PolicyEngine
from authz_sidecar.rules import Membership, Rule, Rules, ScopeHierarchy


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
    lints: int | None = None
    """The most rules that are linted, or any number of them."""
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
    ends: tuple[Rule | Membership, ...] = ()
    """The rows that end."""


async def build(found_files: Mapping[str, bytes], setting: Setting, *, hurry: bool = False) -> Built:
    """Make a policy and report all that is wrong with it; the heavy part runs in a thread.

    It makes room for others there, unless there are none yet: `hurry`.
    """
    found = Findings()
    parsed, compiled, revision, ends = await asyncio.to_thread(_gently, found_files, setting, found, hurry)
    policy, ran = None, 0
    if compiled is not None:
        policy = Policy(revision=revision, rules=parsed.rules, compiled=compiled)
        # By the rows as they stand: an expectation must not fail, and a restart not be refused, because time goes by.
        ran = await expect.run(policy, setting.servers, setting.hierarchy, found)
        if ends:
            policy = replace(policy, compiled=EndingPolicy(compiled, parsed.rules, setting.clock))
    return Built(
        revision=revision,
        rules=parsed.rules,
        policy=None if found.problems else policy,
        problems=found.problems,
        warnings=found.warnings,
        expectations_run=ran,
        parsed=parsed,
        ends=ends,
    )


def _gently(
    found_files: Mapping[str, bytes], setting: Setting, found: Findings, hurry: bool
) -> tuple[Parsed, CompiledPolicy | None, Revision, tuple[Rule | Membership, ...]]:
    """Do everything that takes long, and leave nothing of it to the event loop."""
    with gently(hurry=hurry):
        parsed, compiled = _compile(found_files, setting, found)
        settle(parsed.rules)
        return parsed, compiled, files.revision(found_files, setting.claim_mapping), ending(parsed.rules)


def _compile(
    found_files: Mapping[str, bytes], setting: Setting, found: Findings
) -> tuple[Parsed, CompiledPolicy | None]:
    parsed = parse(found_files, found, plain=setting.plain_subjects, conditions=setting.conditions, lints=setting.lints)
    validate(parsed, setting.servers, setting.qualified_by, found)
    check_ends(parsed.rules, found)
    if found.problems:
        return parsed, None
    if parsed.rules.foreign is not None or (parsed.rules.sources and not parsed.rules.rules):
        pass  # what the policy says stands where lint does not look
    elif setting.lints is None or parsed.rules.size <= setting.lints:
        lint(parsed, setting.servers, setting.carried, found)
    else:
        message = f"more than {setting.lints} rules are not linted at a load, run `authz-sidecar policy lint`"
        found.warn(POLICY, 0, 0, "not-linted", message)
    ends: tuple[str, ...] = getattr(setting.engine, "files", ())
    for name in parsed.rules.sources:
        if not name.endswith(ends):
            found.error(name, 0, 0, "engine", f"the engine `{setting.engine.name}` does not read this file")
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
