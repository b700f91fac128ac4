"""Tells what the issuers on the web answered: to the operational log and the metrics."""

from collections.abc import Callable
from typing import Protocol

import structlog

from authz_sidecar.tokens.news import KeyNews
from authz_sidecar.tokens.pages import Outcome

_MOST_LOGGED = 50


class Counts(Protocol):
    """Counts the fetches."""

    def key_fetch(self, issuer: str, outcome: str) -> None:
        """Note what became of one look at the keys of an issuer."""
        ...


class AskTelling:
    """Hears of every question about an opaque token."""

    def __init__(self, count: Callable[[str, str], None]) -> None:
        """Take what counts, by issuer and outcome."""
        self._count = count
        self._failing: set[str] = set()
        self._log = structlog.get_logger("authz_sidecar.introspection")

    def __call__(self, issuer: str, outcome: str, why: str) -> None:
        """Tell it: every question to the metrics, and the first failure and first success to the log."""
        self._count(issuer, outcome)
        if why and issuer not in self._failing:
            self._failing.add(issuer)
            self._log.warning("introspection_failed", issuer=issuer, outcome=outcome, why=why)
        elif not why and issuer in self._failing:
            self._failing.discard(issuer)
            self._log.info("introspection_back", issuer=issuer)


class KeyTelling:
    """Hears of every look at keys."""

    def __init__(self, counts: Counts) -> None:
        """Take what counts."""
        self._counts = counts
        self._failing: set[str] = set()
        self._log = structlog.get_logger("authz_sidecar.keys")

    def __call__(self, news: KeyNews) -> None:
        """Tell it: each failure, the first success after failures, and each change."""
        self._counts.key_fetch(news.issuer, news.outcome.value)
        if news.outcome not in (Outcome.FETCHED, Outcome.UNCHANGED):
            self._failing.add(news.issuer)
            self._log.warning(
                "keys_failed", issuer=news.issuer, outcome=news.outcome.value, why=news.detail, still_known=news.keys
            )
            return
        if news.issuer in self._failing:
            self._failing.discard(news.issuer)
            self._log.info("keys_back", issuer=news.issuer, keys=news.keys)
        if news.added or news.removed:
            self._log.info(
                "keys_changed",
                issuer=news.issuer,
                added=list(news.added[:_MOST_LOGGED]),
                removed=list(news.removed[:_MOST_LOGGED]),
                ignored=list(news.ignored[:_MOST_LOGGED]),
                keys=news.keys,
            )
