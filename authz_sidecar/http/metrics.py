"""The numbers that the sidecar shows to Prometheus."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from authz_sidecar.errors import AuthzError
from authz_sidecar.methods import METHODS
from authz_sidecar.model import Answer, Mode, Query, Reason, Revision, Shadowed
from authz_sidecar.ports import DecisionLog

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OTHER: Final = "other"
_SECONDS: Final = (50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1.0)
_ITEMS: Final = (1, 5, 10, 25, 50, 100, 250, 500, 1_000)


class Metrics:
    """All metrics of one process, in a registry of their own. Labels are bounded: a stranger cannot add one."""

    def __init__(self, *, servers: Iterable[str], methods: Iterable[str] = ()) -> None:
        """Take the configured servers and the methods that they have beyond those of MCP."""
        self.registry: Final = CollectorRegistry(auto_describe=True)
        self._servers = frozenset(servers)
        self._methods = frozenset(METHODS) | frozenset(methods)
        self._decided: dict[tuple[str, str, Reason, Mode], Counter] = {}
        self._decisions = Counter(
            "authz_decisions", "Questions answered.", ["server", "method", "reason", "mode"], registry=self.registry
        )
        self._seconds = Histogram(
            "authz_check_seconds", "Time to answer a question.", buckets=_SECONDS, registry=self.registry
        )
        self._items = Histogram("authz_batch_items", "Items of a batch.", buckets=_ITEMS, registry=self.registry)
        self._errors = Counter("authz_errors", "Questions not answered, by kind.", ["kind"], registry=self.registry)
        self._ready = Gauge("authz_ready", "1 when a policy answers.", registry=self.registry)
        self._stale = Gauge(
            "authz_policy_stale",
            "1 while the files could not be loaded and an older policy answers.",
            registry=self.registry,
        )
        self._revision = Gauge("authz_policy_info", "The revision in force.", ["revision"], registry=self.registry)
        self._loaded = Gauge(
            "authz_policy_loaded_timestamp_seconds", "When the policy in force went live.", registry=self.registry
        )
        self._reloads = Counter("authz_policy_reloads", "Edits, by outcome.", ["outcome"], registry=self.registry)
        self._differences = Counter(
            "authz_shadow_differences",
            "Questions that the policy that is tried out answers otherwise: it gains, loses, or has another reason.",
            ["server", "method", "change"],
            registry=self.registry,
        )
        self._shadow_failures = Counter(
            "authz_shadow_failures",
            "Questions that the policy that is tried out had no answer to.",
            registry=self.registry,
        )
        self._introspections = Counter(
            "authz_introspections", "Questions about opaque tokens.", ["issuer", "outcome"], registry=self.registry
        )
        self._fetches = Counter(
            "authz_key_fetches", "Looks at the keys of an issuer.", ["issuer", "outcome"], registry=self.registry
        )

    def answered(self, seconds: float) -> None:
        """Note how long a question took."""
        self._seconds.observe(seconds)

    def failed(self, kind: str) -> None:
        """Note that a question was not answered; `kind` is the code of an error class."""
        self._errors.labels(kind or AuthzError.code).inc()

    def decided(self, query: Query, answer: Answer) -> None:
        """Count the decisions of an answer."""
        if query.batch:
            self._items.observe(len(query.questions))
        server = answer.server if answer.server in self._servers else OTHER
        if not query.batch:
            method = self._method(query.questions[0].method)
            self._decision(server, method, answer.decisions[0].reason, answer.mode).inc()
        else:
            asked = zip(query.questions, answer.decisions, strict=True)
            found = Tally((self._method(question.method), decision.reason) for question, decision in asked)
            for (method, reason), times in found.items():
                self._decision(server, method, reason, answer.mode).inc(times)
        if answer.shadow is not None:
            self._shadowed(query, answer, answer.shadow)

    def _shadowed(self, query: Query, answer: Answer, shadow: Shadowed) -> None:
        asked = zip(query.questions, answer.decisions, shadow.decisions, strict=True)
        for question, was, would in asked:
            if was.allowed != would.allowed or was.reason != would.reason:
                change = "reason" if was.allowed == would.allowed else "gains" if would.allowed else "loses"
                server = answer.server if answer.server in self._servers else OTHER
                self._differences.labels(server, self._method(question.method), change).inc()

    def shadow_failed(self, _: Exception) -> None:
        """Count a question that the policy that is tried out had no answer to."""
        self._shadow_failures.inc()

    def policy(self, *, revision: Revision, loaded_at: float) -> None:
        """Show the policy in force; `loaded_at` in seconds since the epoch."""
        self._revision.clear()
        self._revision.labels(revision).set(1)
        self._loaded.set(loaded_at)

    def stale(self, stale: bool) -> None:
        """Show whether the files on disk are not what answers."""
        self._stale.set(stale)

    def reloaded(self, outcome: str) -> None:
        """Count an edit by what became of it."""
        self._reloads.labels(outcome).inc()

    def ready(self, ready: bool) -> None:
        """Show whether a policy answers."""
        self._ready.set(ready)

    def audit(self, *, lines: Callable[[], int], dropped: Callable[[], int]) -> None:
        """Show the ledger's own counts, read when somebody looks."""
        self.registry.register(_AuditCounts({"lines": lines, "dropped": dropped}))

    def revocations(self, *, kept: Callable[[], int], stale: Callable[[], bool]) -> None:
        """Show how many revocations are in force, and whether others may be unknown; read when somebody looks."""
        Gauge("authz_revocations", "Revocations in force.", registry=self.registry).set_function(kept)
        Gauge(
            "authz_revocation_stale",
            "1 while the shared store of revocations is not reached, and others may have revoked what is not known.",
            registry=self.registry,
        ).set_function(stale)

    def key_fetch(self, issuer: str, outcome: str) -> None:
        """Count a look at the keys of a configured issuer."""
        self._fetches.labels(issuer, outcome).inc()

    def introspected(self, issuer: str, outcome: str) -> None:
        """Count a question to a configured issuer about an opaque token."""
        self._introspections.labels(issuer, outcome).inc()

    def keys(self, ages: Callable[[], Mapping[str, float]]) -> None:
        """Show how old the keys of issuers on the web are, read when somebody looks."""
        self.registry.register(_KeyAges(ages))

    def render(self) -> bytes:
        """Give all metrics in the text format."""
        return generate_latest(self.registry)

    def _method(self, method: str) -> str:
        return method if method in self._methods else OTHER

    def _decision(self, server: str, method: str, reason: Reason, mode: Mode) -> Counter:
        key = (server, method, reason, mode)
        counter = self._decided.get(key)
        if counter is None:
            counter = self._decided[key] = self._decisions.labels(server, method, reason.value, mode.value)
        return counter


class CountedLog:
    """A `DecisionLog` that counts what another one has taken."""

    def __init__(self, log: DecisionLog, metrics: Metrics) -> None:
        """Take the log and what counts."""
        self._log = log
        self._metrics = metrics

    def record(self, query: Query, answer: Answer, detail: str = "") -> None:
        """Record, then count; an answer that may not go out is not counted."""
        self._log.record(query, answer, detail)
        self._metrics.decided(query, answer)


class _AuditCounts(Collector):
    """Counters that live in the ledger."""

    _SAYS: Final[Mapping[str, str]] = {
        "lines": "Lines given to the audit log.",
        "dropped": "Events that the audit log lost.",
    }

    def __init__(self, counts: Mapping[str, Callable[[], int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Read them now."""
        for name, count in self._counts.items():
            yield CounterMetricFamily(f"authz_audit_{name}", self._SAYS[name], value=count())


class _KeyAges(Collector):
    """The age of each issuer's keys."""

    def __init__(self, ages: Callable[[], Mapping[str, float]]) -> None:
        self._ages = ages

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read them now."""
        family = GaugeMetricFamily(
            "authz_keys_age_seconds", "Since the issuer last confirmed its keys.", labels=["issuer"]
        )
        for issuer, age in self._ages().items():
            family.add_metric([issuer], age)
        yield family
