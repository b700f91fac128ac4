"""Writing one audit event for each request."""

import contextlib
import logging
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from authz_sidecar.events import SCHEMA_VERSION, AuditEvent, RuleLine, Who, encode
from authz_sidecar.linelog import LineLog, LineSink, LogUnavailable
from mcp_adapter.lane import Lane
from mcp_adapter.principal import Principal

_log: Final = logging.getLogger(__name__)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
LONGEST: Final = 256
ENDED: Final = "ended"
"""The outcome of a stream that we ended; nothing that happens afterwards is its reason."""
_SHORTEST_SECRET: Final = 8


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is known of a request so far. It lives as long as the request, and only there."""

    server: str
    request_id: str
    http_method: str
    path: str
    token: str = field(default="", repr=False)
    """Kept to make sure that it is in no line."""
    outcome: str = "refused"
    status: int = 0
    decision_id: str = ""
    method: str = ""
    tool: str = ""
    reason: str = ""
    detail: str = ""
    principal: Principal | None = None
    rules: tuple[RuleLine, ...] = ()
    revision: str = ""
    tool_error: bool | None = None
    listed: int | None = None
    hidden: int | None = None
    session: str = ""
    protocol_version: str = ""
    traceparent: str = ""
    untrusted_client: str = ""
    started: float = field(default_factory=time.monotonic)

    def line(self) -> bytes:
        """Spell the event as of now, without the token, wherever a client may have put it."""
        event = AuditEvent(
            v=SCHEMA_VERSION,
            time=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            outcome=self.outcome,
            status=self.status,
            duration_ms=round((time.monotonic() - self.started) * 1000, 3),
            server=self.server,
            decision_id=self.decision_id,
            request_id=self.request_id,
            http_method=self.http_method[:LONGEST],
            path=self.path[:LONGEST],
            method=self.method,
            tool=self.tool,
            reason=self.reason,
            detail=self.detail[:LONGEST],
            who=_who(self.principal),
            rules=self.rules,
            revision=self.revision,
            tool_error=self.tool_error,
            listed=self.listed,
            hidden=self.hidden,
            session=self.session,
            protocol_version=self.protocol_version[:LONGEST],
            traceparent=self.traceparent if _TRACEPARENT.fullmatch(self.traceparent) else "",
            untrusted_client=self.untrusted_client[:LONGEST],
        )
        line = encode(event)
        return line.replace(self.token.encode(), b"[token]") if len(self.token) >= _SHORTEST_SECRET else line


def _who(principal: Principal | None) -> Who | None:
    if principal is None:
        return None
    return Who(
        issuer=principal.issuer,
        subject=principal.subject,
        client_id=principal.client_id,
        actor=principal.actor,
        subjects=principal.subjects,
        token_id=principal.token_id,
    )


class Stderr:
    """A sink for people who look at a terminal or a container's log."""

    def put(self, line: bytes) -> None:
        """Write a line, or raise `LogUnavailable`."""
        try:
            sys.stderr.write(line.decode("utf-8"))
            sys.stderr.flush()
        except (OSError, ValueError) as error:
            raise LogUnavailable(f"stderr: {error}") from None

    def close(self) -> None:
        """Leave it open: it is not ours."""


class Recorder:
    """Takes entries to a sink; what the sink does not take is kept and tried again before the next request.

    A file is opened when first needed, so that a server may fork before. Entries of callers that were never verified
    are bounded and never kept: what is left out of them is counted and told.
    """

    def __init__(self, audit: LineSink | Path | str | None, lane: Lane | None = None) -> None:
        """Take a sink, a file, or None for stderr."""
        self._lane = lane or Lane()
        self._path = Path(audit) if isinstance(audit, str | Path) else None
        self._sink: LineSink | None = None if isinstance(audit, str | Path) else audit or Stderr()
        self._owed: list[bytes] = []
        self._failing = False

    def open(self) -> None:
        """Open the file now; raises `OSError`."""
        if self._sink is None and self._path is not None:
            self._sink = LineLog(self._path)

    def ready(self) -> bool:
        """Say whether everything so far was taken. Where not, the next request must wait: nothing goes unrecorded."""
        owed, self._owed = self._owed, []
        self._owed = [line for line in owed if not self._put(line)]
        if not self._owed:
            with contextlib.suppress(OSError):
                self.open()
        return not self._owed and self._sink is not None

    def write(self, entry: Entry) -> None:
        """Take an entry; it never raises."""
        if entry.principal is not None:
            line = entry.line()
            if not self._put(line):
                self._owed.append(line)
        elif self._lane.admits():
            skipped, further = self._lane.skipped, self._lane.told()
            entry.detail = entry.detail[: LONGEST - len(further)] + further
            if not self._put(entry.line()):
                self._lane.skipped += skipped + 1

    def close(self) -> None:
        """Write what was taken; a file is opened again when there is more."""
        self.ready()
        if self._owed or self._lane.skipped:
            _log.error("audit_lost: %d lines, and %d of callers never verified", len(self._owed), self._lane.skipped)
        if self._sink is not None and self._path is not None:
            self._sink.close()
            self._sink = None

    def _put(self, line: bytes) -> bool:
        """Say whether the sink took a line."""
        try:
            self.open()
            if self._sink is not None:
                self._sink.put(line)
        except (LogUnavailable, OSError) as error:
            if not self._failing:
                _log.error("audit_unavailable: %s", error)
            self._failing = True
            return False
        self._failing = False
        return True
