"""A sink that keeps lines, and answers to record."""

import json
from typing import Any

from authz_sidecar.audit.digest import Digester
from authz_sidecar.audit.ledger import Ledger
from authz_sidecar.linelog import LogUnavailable
from authz_sidecar.model import Answer, Decision, Principal, Query, Question, RawToken, Reason, Revision, RuleRef

DIGEST = Digester(b"k" * 32)
CANARY = "canary-token-7f3a"
REVISION = Revision("sha256:" + "a" * 64)
ROW = RuleRef(source="policy.csv", line=3, text="p, role:x, *, *, *, deny", allow=False)


class Kept:
    """Keeps lines; refuses them while `failing` is set or when `room` is full."""

    def __init__(self, room: int = 100_000) -> None:
        self.lines: list[bytes] = []
        self.failing = False
        self.closed = False
        self.room = room

    def put(self, line: bytes) -> None:
        if self.failing or len(self.lines) >= self.room:
            raise LogUnavailable("no room")
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self.lines.append(line)

    def close(self) -> None:
        self.closed = True

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.25

    def __call__(self) -> float:
        return self.now


def ledger(sink: Kept, clock: Time | None = None, **options: Any) -> Ledger:
    return Ledger(sink=sink, digest=DIGEST, clock=clock or Time(), **options)


def query(*tools: str, **fields: Any) -> Query:
    asked = tuple(
        Question(method="tools/call", tool=tool, arguments=b'{"secret":"canary-argument"}') for tool in tools or ("t",)
    )
    return Query(**({"token": RawToken(CANARY), "server": "ops", "questions": asked, "request_id": "r-1"} | fields))


def principal(**fields: Any) -> Principal:
    given = {"issuer": "https://idp", "subject": "alice", "user": "user:alice", "token_id": "j", "expires_at": 2e9}
    return Principal(**(given | fields))


YES = Decision(allowed=True, reason=Reason.ALLOWED_BY_RULE, rules=(ROW,), required_scopes=("a:b",))
NO = Decision(allowed=False, reason=Reason.DENIED_BY_RULE, rules=(ROW,))
BAD_TOKEN = Decision(allowed=False, reason=Reason.TOKEN_SIGNATURE_INVALID)


def answer(*decisions: Decision, who: Principal | None = None, **fields: Any) -> Answer:
    given = {"decision_id": "d-1", "revision": REVISION, "server": "ops", "principal": who}
    return Answer(decisions=decisions, **(given | fields))
