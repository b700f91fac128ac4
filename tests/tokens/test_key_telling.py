"""What is told about issuers on the web: counted always, logged when it changes."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from authz_sidecar.app.keytelling import AskTelling, KeyTelling
from authz_sidecar.http.metrics import Metrics
from authz_sidecar.tokens.news import KeyNews
from authz_sidecar.tokens.pages import Outcome


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as found:
        yield found


def test_every_failure_of_keys_is_logged_and_so_is_the_return(logs: list[Any]) -> None:
    metrics = Metrics(servers=["ops"])
    tell = KeyTelling(metrics)
    for _ in range(2):
        tell(KeyNews(issuer="main", outcome=Outcome.TIMEOUT, detail="slow", keys=2))
    tell(KeyNews(issuer="main", outcome=Outcome.UNCHANGED, keys=2))
    tell(KeyNews(issuer="main", outcome=Outcome.UNCHANGED, keys=2))
    tell(KeyNews(issuer="main", outcome=Outcome.FETCHED, added=("b",), removed=("a",), ignored=("keys[2]: x",), keys=2))
    assert [one["event"] for one in logs] == ["keys_failed", "keys_failed", "keys_back", "keys_changed"]
    assert (logs[0]["why"], logs[0]["still_known"]) == ("slow", 2)
    assert (logs[3]["added"], logs[3]["removed"], logs[3]["ignored"]) == (["b"], ["a"], ["keys[2]: x"])
    shown = metrics.render().decode()
    assert 'authz_key_fetches_total{issuer="main",outcome="timeout"} 2.0' in shown
    assert 'authz_key_fetches_total{issuer="main",outcome="unchanged"} 2.0' in shown


def test_questions_about_tokens_are_counted_and_only_changes_are_logged(logs: list[Any]) -> None:
    metrics = Metrics(servers=["ops"])
    tell = AskTelling(metrics.introspected)
    for outcome, why in (("active", ""), ("timeout", "slow"), ("timeout", "slow"), ("active", ""), ("inactive", "")):
        tell("main", outcome, why)
    assert [one["event"] for one in logs] == ["introspection_failed", "introspection_back"]
    assert 'authz_introspections_total{issuer="main",outcome="timeout"} 2.0' in metrics.render().decode()


def test_the_age_of_keys_is_shown() -> None:
    metrics = Metrics(servers=["ops"])
    metrics.keys(lambda: {"main": 12.5})
    assert 'authz_keys_age_seconds{issuer="main"} 12.5' in metrics.render().decode()
