"""Explains the policy in force to the admin service, and a policy on disk in the same words."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from authz_sidecar.app import translate
from authz_sidecar.app.study import study
from authz_sidecar.config import Config
from authz_sidecar.errors import BadRequest, TokenError
from authz_sidecar.model import Decision, Principal, Revision, Server
from authz_sidecar.policy.callers import described
from authz_sidecar.policy.explain import Explainer, Explanation
from authz_sidecar.ports import Clock, Policies, Policy, TokenVerifier
from authz_sidecar.rules import ScopeHierarchy
from authz_sidecar.server.explaining import Asking, Looked, Why
from authz_sidecar.tokens.verifier import JwtVerifier


class Explaining:
    """Is a `server.explaining.Explains` over whatever is in force."""

    def __init__(
        self,
        *,
        policies: Policies,
        verifier: TokenVerifier,
        servers: Mapping[str, Server],
        hierarchy: ScopeHierarchy,
        clock: Clock,
    ) -> None:
        """Take what decides as well; `servers` is by name."""
        self._policies, self._verifier = policies, verifier
        self._servers, self._hierarchy, self._clock = servers, hierarchy, clock
        self._known: tuple[Policy, Explainer] | None = None

    async def explain(self, asking: Asking) -> Why:
        """Explain by the policy in force; raises `NotReady`, `BadRequest` and `EngineError`."""
        policy = self._policies.current  # taken once, as for a decision
        name = asking.server
        if not name and len(self._servers) == 1:
            name = next(iter(self._servers))
        server = self._servers.get(name)
        try:
            who = await self._who(asking, server)
        except TokenError as error:
            return refused(error, policy.revision, name)
        explainer = await self._explainer(policy)
        found = await explainer.explain(who, name, asking.question, context=asking.context, now=self._clock())
        return why(found, policy.revision)

    async def _who(self, asking: Asking, server: Server | None) -> Principal:
        if asking.token is None:
            return described(asking.subjects, asking.scopes)
        if server is None:
            raise BadRequest(f"`server`: no server is called `{asking.server}`, and a token is for one of them")
        return await self._verifier.verify(asking.token, server)

    async def _explainer(self, policy: Policy) -> Explainer:
        """Give what explains this very policy; sorting a hundred thousand rows is not for the event loop."""
        if self._known is None or self._known[0] is not policy:
            made = await asyncio.to_thread(Explainer, policy=policy, servers=self._servers, hierarchy=self._hierarchy)
            self._known = policy, made
        return self._known[1]


async def offline(config: Config, directory: Path | None, asking: Asking) -> Why:
    """Explain as a sidecar would that had loaded this directory, the configured policy by default.

    Raises `ConfigError`, `PolicyProblems`, `BadRequest` and `EngineError`.
    """
    found = await study(config, directory)
    verifier = JwtVerifier(translate.issuers(config) if asking.token is not None else (), clock=time.time)
    explaining = Explaining(
        policies=found, verifier=verifier, servers=found.servers, hierarchy=found.hierarchy, clock=time.time
    )
    return await explaining.explain(asking)


def why(found: Explanation, revision: Revision) -> Why:
    """Say it in the words of the door."""
    miss = found.miss
    return Why(
        decision=found.decision,
        revision=revision,
        server=found.server,
        principal=found.principal,
        held=found.held,
        groups=found.groups,
        considered=tuple(Looked(rule=one.rule, decides=one.decides, missing=one.missing) for one in found.considered),
        missing="" if miss is None else miss.missing,
        advice="" if miss is None else miss.advice,
        miss=None if miss is None or miss.rule is None else miss.rule.ref,
        detail=found.decision.detail,
    )


def refused(error: TokenError, revision: Revision, server: str) -> Why:
    """Say that the token does not prove who is calling."""
    decision = Decision(allowed=False, reason=error.reason)
    advice = f"the token is not accepted: {error}"
    return Why(decision=decision, revision=revision, server=server, missing="token", advice=advice, detail=str(error))
