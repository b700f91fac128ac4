"""A log of decisions, as a sidecar leaves it."""

from pathlib import Path

from authz_sidecar.events import DecisionEvent, Who, encode


def log(desk: Path, *tools: str, user: str = "user:alice") -> Path:
    path = desk / "decisions.jsonl"
    events = [
        DecisionEvent(
            v=1,
            time="2026-03-04T05:06:07.000000Z",
            decision_id="d",
            server="ops-assistant",
            allowed=False,
            reason="no_matching_rule",
            mode="enforce",
            revision="r",
            method="tools/call",
            tool=tool,
            who=Who(subjects=(user,)),
        )
        for tool in tools
    ]
    path.write_bytes(b"".join(map(encode, events)))
    return path
