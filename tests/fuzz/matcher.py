"""The matcher: on any rows that load, and any question, the index finds what the plain engine finds."""

from typing import Final

from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.judge import judge
from authz_sidecar.model import Principal, Question, Revision, Server
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse
from authz_sidecar.ports import Policy
from authz_sidecar.rules import ScopeHierarchy
from tests.fuzz.loader import _MODEL
from tests.fuzz.target import Feed, Limit, finish

LIMIT: Final = Limit(steps=20_000, steps_a_byte=400, memory=400_000, memory_a_byte=2_000)
WORDS: Final = ()
SEEDS: Final = tuple(bytes((n * step) % 251 for n in range(160)) for step in (1, 3, 7, 11, 29, 61, 97))

_SUBJECTS: Final = (
    "user:a",
    "user:ab",
    "user:*",
    "role:r0",
    "role:r1",
    "role:r*",
    "*",
    "client:c",
    "agent:b",
    "user:role:r0",
)
_SERVERS: Final = ("ops", "op*", "*", "billing", "ops*", "\\*")
_METHODS: Final = (
    *(
        "tools/call",
        "tools/*",
        "tools/list",
        "*",
        "resources/read",
        "resources/*",
        "prompts/get",
        "completion/complete",
    ),
    *("subscriptions/listen", "tasks/get", "resources/subscribe", "prompts/list"),
)
_TOOLS: Final = (
    *(
        "a",
        "ab",
        "a*",
        "*",
        "ab*",
        "a\\*",
        "\\*",
        "file:///a/b",
        "file:///a/*",
        "file:///*",
        "db://x?y#z",
        "é",
        "e\u0301",
    ),
    *("aa" * 40, "aa" * 40 + "*", "ſ", "S", "s", "a b", "a\u00a0b", "task:1", "ref/prompt:a"),
)
_ASKED: Final = (
    *_TOOLS,
    "",
    "file:///a/../b",
    "file:///a/%2e%2e/b",
    "\x00",
    "aaa",
    "file:///a/b/c",
    "*",
    "a*",
    "😀" * 3,
)
_SERVER: Final = {
    name: Server(name=name, audience=name, methods=frozenset({"x/y"})) for name in ("ops", "billing", "*")
}


def run(data: bytes) -> None:
    """Make rows and questions of the bytes."""
    feed = Feed(data)
    parsed = parse({"policy.csv": _rows(feed).encode(), "model.conf": _MODEL}, Findings())
    index, plain = IndexEngine().compile(parsed.rules), PlainEngine().compile(parsed.rules)
    fast = Policy(revision=Revision("sha256:0"), rules=parsed.rules, compiled=index)
    slow = Policy(revision=Revision("sha256:0"), rules=parsed.rules, compiled=plain)
    for _ in range(6):
        who = _who(feed)
        server, method, tool = feed.pick(tuple(_SERVER)), feed.pick((*_METHODS, "x/y")), feed.pick(_ASKED)
        found = finish(index.judge(who.caller, server, method, tool))
        assert found == finish(plain.judge(who.caller, server, method, tool)), (who.caller, server, method, tool)
        for asked in (Question(method=method, tool=tool), Question(method="tools/list", tool=tool)):
            one = finish(judge(fast, who, _SERVER[server], asked, ScopeHierarchy()))
            assert one == finish(judge(slow, who, _SERVER[server], asked, ScopeHierarchy())), asked


def _rows(feed: Feed) -> str:
    rows: list[str] = []
    for _ in range(feed.number(16)):
        fields = (feed.pick(_SUBJECTS), feed.pick(_SERVERS), feed.pick(_METHODS), feed.pick(_TOOLS))
        rows.append(", ".join(("p", *fields, feed.pick(("allow", "allow", "deny")))))
    for _ in range(feed.number(6)):
        at = feed.number(3)
        rows.append(
            f"g, {feed.pick(('user:a', 'user:ab', 'client:c', f'role:r{at}'))}, role:r{at + 1 + feed.number(2)}"
        )
    return "\n".join(rows) + "\n"


def _who(feed: Feed) -> Principal:
    groups = frozenset({feed.pick(("role:r0", "role:r1", "role:r2", "group:g"))} if feed.number(2) else ())
    user = feed.pick(("user:a", "user:ab", "user:role:r0", "user:*", None))
    return Principal(
        issuer="i",
        subject="s",
        user=user,
        groups=groups,
        client="client:c" if user is None or feed.number(2) else None,
        agent="agent:b" if feed.number(4) == 1 else None,
        expires_at=0.0,
    )
