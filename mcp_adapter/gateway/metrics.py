"""The numbers of the gateway, for Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts in a registry of its own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "authz_gateway_requests",
            "Requests by server and HTTP status.",
            ("server", "status"),
            registry=self._registry,
        )
        self._running = Gauge(
            "authz_gateway_requests_in_flight",
            "Requests and streams being served.",
            ("server",),
            registry=self._registry,
        )
        self._up = Gauge(
            "authz_gateway_upstream_up", "1 unless the server is left alone.", ("server",), registry=self._registry
        )
        self._stale = Gauge("authz_gateway_config_stale", "1 while an edit is refused.", registry=self._registry)
        self._reloads = Counter(
            "authz_gateway_config_reloads", "Edits by outcome.", ("outcome",), registry=self._registry
        )

    @contextmanager
    def running(self, server: str) -> Iterator[None]:
        """Count a request for as long as it runs."""
        gauge = self._running.labels(server)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def answered(self, server: str, status: int) -> None:
        """Count an answer; the status is 0 when the client went away before."""
        self._requests.labels(server, str(status)).inc()

    def upstream(self, server: str, *, up: bool) -> None:
        """Say whether a server is up."""
        self._up.labels(server).set(up)

    def reloaded(self, outcome: str) -> None:
        """Count an edit that was `applied` or `refused`."""
        self._reloads.labels(outcome).inc()
        self._stale.set(outcome != "applied")

    def render(self) -> bytes:
        """Give the page."""
        return generate_latest(self._registry)
