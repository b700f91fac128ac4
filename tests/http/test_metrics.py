"""What is counted, and that nobody can add a label."""

import pytest

from authz_sidecar.errors import LedgerFull
from authz_sidecar.http.metrics import CountedLog, Metrics
from authz_sidecar.model import Answer, Decision, Mode, Query, Question, RawToken, Reason, Revision

YES = Decision(allowed=True, reason=Reason.ALLOWED_BY_RULE)
NO = Decision(allowed=False, reason=Reason.NO_MATCHING_RULE)


class Log:
    def __init__(self) -> None:
        self.full = False
        self.taken = 0

    def record(self, query: Query, answer: Answer, detail: str = "") -> None:
        if self.full:
            raise LedgerFull("full")
        self.taken += 1


def asked(*methods: str, batch: bool = False) -> Query:
    questions = tuple(Question(method=method, tool="t") for method in methods)
    return Query(token=RawToken("t"), server="ops", questions=questions, batch=batch)


def answered(*decisions: Decision, server: str = "ops", mode: Mode = Mode.ENFORCE) -> Answer:
    return Answer(decisions=decisions, decision_id="d", revision=Revision("r"), server=server, mode=mode)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(servers=["ops"], methods=["x/own"])


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_decisions_are_counted_by_server_method_reason_and_mode(metrics: Metrics) -> None:
    log = CountedLog(Log(), metrics)
    log.record(asked("tools/call"), answered(YES))
    log.record(asked("x/own"), answered(NO, mode=Mode.OBSERVE))
    log.record(asked(*["tools/list"] * 3, batch=True), answered(YES, YES, NO))
    name = "authz_decisions_total"
    assert value(metrics, name, server="ops", method="tools/call", reason="allowed_by_rule", mode="enforce") == 1
    assert value(metrics, name, server="ops", method="x/own", reason="no_matching_rule", mode="observe") == 1
    assert value(metrics, name, server="ops", method="tools/list", reason="allowed_by_rule", mode="enforce") == 2
    assert value(metrics, "authz_batch_items_sum") == 3


def test_a_stranger_cannot_add_a_label(metrics: Metrics) -> None:
    for at in range(100):
        metrics.decided(asked(f"m{at}"), answered(NO, server=f"s{at}"))
    found = value(
        metrics, "authz_decisions_total", server="other", method="other", reason="no_matching_rule", mode="enforce"
    )
    assert found == 100
    assert metrics.render().count(b"authz_decisions_total{") == 1


def test_an_answer_that_was_not_recorded_is_not_counted(metrics: Metrics) -> None:
    inner = Log()
    inner.full = True
    with pytest.raises(LedgerFull):
        CountedLog(inner, metrics).record(asked("ping"), answered(YES))
    assert b"authz_decisions_total{" not in metrics.render()


def test_the_policy_in_force_is_the_only_one_shown(metrics: Metrics) -> None:
    metrics.policy(revision=Revision("sha256:a"), loaded_at=1.0)
    metrics.policy(revision=Revision("sha256:b"), loaded_at=2.0)
    metrics.stale(True)
    metrics.ready(True)
    metrics.reloaded("refused")
    metrics.failed("internal")
    metrics.answered(0.0001)
    text = metrics.render().decode()
    assert 'authz_policy_info{revision="sha256:b"} 1.0' in text
    assert "sha256:a" not in text
    assert "authz_policy_loaded_timestamp_seconds 2.0" in text
    assert "authz_policy_stale 1.0" in text
    assert "authz_ready 1.0" in text
    assert 'authz_policy_reloads_total{outcome="refused"} 1.0' in text
    assert 'authz_errors_total{kind="internal"} 1.0' in text
    assert 'authz_check_seconds_bucket{le="5e-05"} 0.0' in text


def test_the_ledgers_counts_are_read_when_somebody_looks(metrics: Metrics) -> None:
    counts = {"lines": 1, "dropped": 0}
    metrics.audit(lines=lambda: counts["lines"], dropped=lambda: counts["dropped"])
    counts |= {"lines": 7, "dropped": 2}
    assert value(metrics, "authz_audit_lines_total") == 7
    assert value(metrics, "authz_audit_dropped_total") == 2
