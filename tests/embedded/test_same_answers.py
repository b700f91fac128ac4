"""One table of questions to the sidecar beside the server and to the one inside it: the answers are the same."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mcp_adapter.client import SidecarClient
from mcp_adapter.embedded import EmbeddedPdp
from mcp_adapter.pdp import Answer, Item, Pdp, Unanswered
from tests.app.running import House, house, running

POLICY = """\
p, role:user, ops, tools/call, echo, allow
p, role:user, ops, tools/call, scoped, allow
p, role:user, ops, tools/call, priced, allow, "args.amount <= 100"
p, role:user, ops, tools/call, inner, allow, "context.zone == 'inner'"
p, user:mallory, *, *, *, deny
g, user:alice, role:user
g, user:mallory, role:user
"""
CALL = "tools/call"
ECHO = Item(method=CALL, tool="echo")
_VARYING = ("time", "decision_id")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question, or several."""

    items: tuple[Item, ...] = (ECHO,)
    claims: dict[str, Any] = field(default_factory=dict)
    token: str | None = None
    server: str = "ops"
    context: dict[str, str] = field(default_factory=dict)


TABLE = {
    "allowed": Asked(),
    "silence denies": Asked(items=(Item(method=CALL, tool="drop"),)),
    "deny wins": Asked(claims={"sub": "mallory"}),
    "a scope is missing": Asked(items=(Item(method=CALL, tool="scoped"),)),
    "a scope is there": Asked(items=(Item(method=CALL, tool="scoped"),), claims={"scope": "tickets:write"}),
    "a condition holds": Asked(items=(Item(method=CALL, tool="priced", arguments=b'{"amount": 100}'),)),
    "a condition does not hold": Asked(items=(Item(method=CALL, tool="priced", arguments=b'{"amount": 101}'),)),
    "a condition errs": Asked(items=(Item(method=CALL, tool="priced", arguments=b'{"amount": "x"}'),)),
    "a fact is vouched for": Asked(items=(Item(method=CALL, tool="inner"),), context={"zone": "inner"}),
    "a fact is missing": Asked(items=(Item(method=CALL, tool="inner"),)),
    "a list": Asked(items=(Item(method="tools/list"),)),
    "entries of a list": Asked(items=tuple(Item(method="tools/list", tool=t) for t in ("echo", "drop", "priced"))),
    "an unknown method": Asked(items=(Item(method="secrets/read", tool="x"),)),
    "an unknown server": Asked(server="other"),
    "the only server": Asked(server=""),
    "no token": Asked(token=""),
    "no JWT": Asked(token="abc"),
    "an expired token": Asked(claims={"exp": 1_000_000_000}),
    "another audience": Asked(claims={"aud": "https://other.example"}),
    "another issuer": Asked(claims={"iss": "https://other.example"}),
    "a token of 17 KiB": Asked(token="a" * 17_000),
    "a name of 2,049 bytes": Asked(items=(Item(method=CALL, tool="ü" * 1025),)),
    "arguments with a key twice": Asked(items=(Item(method=CALL, tool="echo", arguments=b'{"a":1,"a":2}'),)),
    "no items at all": Asked(items=()),
}


@pytest.fixture
def ground():
    with house() as found:
        found.policy.write_text(POLICY)
        (found.policy.parent / "scopes.csv").write_text(
            "server,method,tool,scopes\nops,tools/call,scoped,tickets:write\n"
        )
        config = found.config.read_text().replace("[[servers]]", '[context]\nkeys = ["zone"]\n[[servers]]')
        found.config.write_text(config)
        yield found


@asynccontextmanager
async def beside(ground: House) -> AsyncIterator[Pdp]:
    async with running(ground):
        client = SidecarClient(f"unix:{ground.socket}", timeout=10)
        yield client
        await client.close()


@asynccontextmanager
async def inside(ground: House) -> AsyncIterator[Pdp]:
    async with EmbeddedPdp(ground.config, timeout=10) as pdp:
        yield pdp


async def asked(pdp: Pdp, one: Asked, token: str) -> Answer | str:
    try:
        if len(one.items) == 1:
            answer = await pdp.check(token, one.items[0], server=one.server, request_id="r", context=one.context)
        else:
            answer = await pdp.check_batch(token, one.items, server=one.server, request_id="r", context=one.context)
    except Unanswered as error:
        return f"{error.fault} {error.public} {error}"
    assert answer.decision_id
    return replace(answer, decision_id="")


async def test_both_answer_alike_and_write_the_same_log(ground: House):
    tokens = {name: ground.token(**one.claims) if one.token is None else one.token for name, one in TABLE.items()}
    answers: list[dict[str, Answer | str]] = []
    logs: list[list[dict[str, Any]]] = []
    for way in (beside, inside):
        before = len(ground.decisions)
        async with way(ground) as pdp:
            answers.append({name: await asked(pdp, one, tokens[name]) for name, one in TABLE.items()})
        events = [event for event in ground.decisions[before:] if event["type"] == "decision"]
        logs.append([_lasting(event) for event in events])
    assert answers[0] == answers[1]
    assert logs[0] == logs[1]
    reasons = {one.decisions[0].reason for one in answers[0].values() if isinstance(one, Answer)}
    assert len(reasons) >= 10


def _lasting(event: dict[str, Any]) -> dict[str, Any]:
    """Give what does not depend on when it was asked; how long a token is over does."""
    kept = {key: event[key] for key in event.keys() - {*_VARYING}}
    return kept | ({"detail": re.sub(r"\d+ s ago", "", event["detail"])} if "detail" in event else {})
