"""What one line of the decision log costs, against structlog over the standard library's logging."""

import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from authz_sidecar.audit.digest import Digester
from authz_sidecar.audit.ledger import Ledger
from authz_sidecar.linelog import LineLog
from authz_sidecar.model import Answer, Decision, Principal, Query, Question, RawToken, Reason, Revision, RuleRef

ROUNDS = 9
LINES = 3_000


def one() -> tuple[Query, Answer]:
    rules = tuple(
        RuleRef(
            source="policy.csv", line=line, text=f"p, role:support, ops, tools/call, tool_{line}, allow", allow=True
        )
        for line in (3, 17)
    )
    query = Query(
        token=RawToken("t" * 900),
        server="ops",
        questions=(
            Question(method="tools/call", tool="create_ticket", arguments=b'{"title":"printer","urgent":true}'),
        ),
        request_id="r-1",
    )
    principal = Principal(
        issuer="https://idp.example",
        subject="alice",
        user="user:alice",
        groups=frozenset({"role:support", "group:it"}),
        scopes=frozenset({"tickets:write"}),
        token_id="jti-1",  # noqa: S106 - a name, not a secret
        expires_at=2e9,
    )
    decision = Decision(allowed=True, reason=Reason.ALLOWED_BY_RULE, rules=rules, required_scopes=("tickets:write",))
    answer = Answer(
        decisions=(decision,),
        decision_id="01JABCDEFGHJKMNPQRSTVWXYZ0",
        revision=Revision("sha256:" + "a" * 64),
        server="ops",
        principal=principal,
    )
    return query, answer


def usual(path: Path, digest: Digester) -> Callable[[Query, Answer], None]:
    """The usual way: structlog's processors, rendered as JSON, through a handler of the standard library."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(message)s"))
    library = logging.getLogger("bench.audit")
    library.setLevel(logging.INFO)
    library.propagate = False
    library.addHandler(handler)
    log = structlog.wrap_logger(
        library,
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )

    def record(query: Query, answer: Answer) -> None:
        who, decision, asked = answer.principal, answer.decisions[0], query.questions[0]
        assert who is not None
        log.info(
            "decision",
            v=1,
            decision_id=answer.decision_id,
            server=answer.server,
            allowed=decision.allowed,
            reason=decision.reason.value,
            mode=answer.mode.value,
            revision=answer.revision,
            method=asked.method,
            tool=asked.tool,
            request_id=query.request_id,
            who={"issuer": who.issuer, "subject": who.subject, "subjects": who.subjects, "token_id": who.token_id},
            rules=[{"source": r.source, "line": r.line, "text": r.text, "allow": r.allow} for r in decision.rules],
            required_scopes=decision.required_scopes,
            token_digest=digest(query.token.text.encode()),
            arguments_digest=digest(asked.arguments),
        )

    return record


def timed(record: Callable[[Query, Answer], None], query: Query, answer: Answer) -> float:
    """CPU of this thread, in microseconds a line."""
    started = time.thread_time_ns()
    for _ in range(LINES):
        record(query, answer)
    return (time.thread_time_ns() - started) / LINES / 1_000


def main() -> None:
    digest = Digester(os.urandom(32))
    query, answer = one()
    with tempfile.TemporaryDirectory() as directory:
        ours_path, usual_path = Path(directory) / "ours.jsonl", Path(directory) / "usual.jsonl"
        log = LineLog(ours_path, limit=LINES * (ROUNDS + 2))
        ledger = Ledger(sink=log, digest=digest, clock=time.time)
        theirs = usual(usual_path, digest)
        ours_took: list[float] = []
        theirs_took: list[float] = []
        for _ in range(ROUNDS):
            ours_took.append(timed(ledger.record, query, answer))
            theirs_took.append(timed(theirs, query, answer))
        ledger.close()
        a, b = (json.loads(path.read_text().splitlines()[0]) for path in (ours_path, usual_path))
        same = ("decision_id", "allowed", "reason", "method", "tool", "rules", "token_digest", "arguments_digest")
        assert all(a[name] == b[name] for name in same), "the two logs must say the same"
        assert len(ours_path.read_text().splitlines()) == LINES * ROUNDS
    ours, theirs_median = statistics.median(ours_took), statistics.median(theirs_took)
    print(
        f"audit line   ours {ours:6.1f} µs   structlog over logging {theirs_median:6.1f} µs   "
        f"ratio {theirs_median / ours:.1f}x   (thread CPU, medians of {ROUNDS} rounds of {LINES:,} lines)"
    )


if __name__ == "__main__":
    main()
