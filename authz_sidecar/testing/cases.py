"""What a policy engine must answer, as a table that a policy author can read."""

from dataclasses import dataclass
from typing import Final

from authz_sidecar.rules import Effect, Membership, Pattern, Rule, Rules

SOURCE: Final = "policy.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to an engine, and the lines of the rows that must speak to it."""

    subjects: frozenset[str]
    server: str
    method: str
    tool: str
    allows: tuple[int, ...] = ()
    denies: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Spell it for a message."""
        return f"{' '.join(sorted(self.subjects))} does {self.method!a} on {self.tool!a} of {self.server!a}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A policy and what it means. The id says in words why the case is here."""

    id: str
    rules: Rules
    asks: tuple[Ask, ...]


def pattern(text: str) -> Pattern:
    """Read a pattern as in a policy file: a literal, a trailing `*`, `\\*` for a literal star."""
    prefix = text.endswith("*") and not text.endswith("\\*")
    return Pattern(text.removesuffix("*").replace("\\*", "*") if prefix else text.replace("\\*", "*"), prefix=prefix)


def rows(*lines: tuple[str, ...]) -> Rules:
    """Make a policy of rows, numbered from 1.

    They are `(subject, server, method, tool, effect)`, `(member, role)`, `(member, role, server)` for a role that is
    held on one server, and `("g2", tool, "in", group)` for a group of tools.
    """
    numbered = list(enumerate(lines, 1))
    return Rules(
        rules=tuple(_rule(number, *line) for number, line in numbered if len(line) == 5),
        memberships=tuple(_membership(number, *line) for number, line in numbered if len(line) in (2, 3)),
        tool_groups=tuple(_membership(number, line[1], line[3]) for number, line in numbered if len(line) == 4),
    )


def _rule(number: int, subject: str, server: str, method: str, tool: str, effect: str) -> Rule:
    return Rule(
        subject=pattern(subject),
        server=pattern(server),
        method=pattern(method),
        tool=pattern(tool),
        effect=Effect(effect),
        source=SOURCE,
        line=number,
        text=f"p, {subject}, {server}, {method}, {tool}, {effect}",
    )


def _membership(number: int, member: str, role: str, server: str | None = None) -> Membership:
    return Membership(member=member, role=role, source=SOURCE, line=number, text=f"g, {member}, {role}", server=server)


def ask(who: str, tool: str, *, allows: tuple[int, ...] = (), denies: tuple[int, ...] = (), **call: str) -> Ask:
    """Make a question; `who` is names with spaces between, the server is `ops`, the method is `tools/call`."""
    return Ask(
        subjects=frozenset(who.split()),
        server=call.get("server", "ops"),
        method=call.get("method", "tools/call"),
        tool=tool,
        allows=allows,
        denies=denies,
    )


def _allow(subject: str, tool: str = "read") -> tuple[str, ...]:
    return subject, "ops", "tools/call", tool, "allow"


def _deny(subject: str, tool: str = "read") -> tuple[str, ...]:
    return subject, "ops", "tools/call", tool, "deny"


def _chain(length: int) -> list[tuple[str, ...]]:
    return [(f"role:{depth}", f"role:{depth + 1}") for depth in range(length)]


_ODD: Final = ("a,b", 'a"b', " a ", "a\nb", "r.sub", "')", "a\x00", "#", "\\")

CASES: Final = (
    Case(
        id="an empty policy denies, even empty questions",
        rules=rows(),
        asks=(ask("user:ann", "read"), ask("user:ann", "", server="", method=""), ask("", "")),
    ),
    Case(
        id="silence denies",
        rules=rows(_allow("user:ann")),
        asks=(
            ask("user:ann", "read", allows=(1,)),
            ask("user:bob", "read"),
            ask("user:ann", "write"),
            ask("user:ann", "read", server="other"),
            ask("user:ann", "read", method="prompts/get"),
            ask("user:ann", ""),
            ask("", "read"),
        ),
    ),
    Case(
        id="deny wins, before and after the allow, and all rows are named",
        rules=rows(_deny("user:ann"), _allow("user:ann"), _deny("user:ann"), _allow("user:ann", "*")),
        asks=(ask("user:ann", "read", allows=(2, 4), denies=(1, 3)), ask("user:ann", "else", allows=(4,))),
    ),
    Case(
        id="names of one caller add up: one is allowed, another denied",
        rules=rows(_allow("role:staff"), _deny("role:suspended"), _deny("user:ann", "write"), _allow("user:ann")),
        asks=(
            ask("user:ann role:staff", "read", allows=(1, 4)),
            ask("user:ann role:staff role:suspended", "read", allows=(1, 4), denies=(2,)),
            ask("role:suspended role:staff", "read", allows=(1,), denies=(2,)),
            ask("user:ann role:staff", "write", denies=(3,)),
        ),
    ),
    Case(
        id="roles are followed far beyond depth 10, for allows and for denies",
        rules=rows(*_chain(300), _allow("role:300"), _deny("role:11", "write"), _allow("role:0", "write")),
        asks=(
            ask("role:0", "read", allows=(301,)),
            ask("role:0", "write", allows=(303,), denies=(302,)),
            ask("role:12", "write"),
            ask("role:300", "read", allows=(301,)),
        ),
    ),
    Case(
        id="a cycle of roles ends",
        rules=rows(("role:a", "role:b"), ("role:b", "role:c"), ("role:c", "role:a"), _allow("role:a")),
        asks=tuple(ask(f"role:{name}", "read", allows=(4,)) for name in "abc"),
    ),
    Case(
        id="a role is held upwards only",
        rules=rows(("role:staff", "role:all"), _allow("role:staff"), _allow("role:all", "list")),
        asks=(
            ask("role:all", "read"),
            ask("role:all", "list", allows=(3,)),
            ask("role:staff", "list", allows=(3,)),
        ),
    ),
    Case(
        id="beginnings match what begins so and nothing else",
        rules=rows(_allow("user:ann", "tickets_*"), _allow("user:ann", "tickets_read"), _deny("user:ann", "t*")),
        asks=(
            ask("user:ann", "tickets_read", allows=(1, 2), denies=(3,)),
            ask("user:ann", "tickets_", allows=(1,), denies=(3,)),
            ask("user:ann", "tickets", denies=(3,)),
            ask("user:ann", "xtickets_read"),
            ask("user:ann", "TICKETS_read"),
        ),
    ),
    Case(
        id="every field may be a beginning, also the subject",
        rules=rows(
            ("user:*", "*", "*", "*", "allow"),
            ("*", "op*", "tools/*", "re*", "allow"),
            ("user:mallory", "*", "*", "*", "deny"),
            ("role:*", "ops", "tools/call", "read", "deny"),
        ),
        asks=(
            ask("user:ann", "read", allows=(1, 2)),
            ask("client:cli", "read", allows=(2,)),
            ask("user:mallory", "", server="x", method="y", allows=(1,), denies=(3,)),
            ask("user:ann role:a role:b", "read", allows=(1, 2), denies=(4,)),
            ask("", "read"),
        ),
    ),
    Case(
        id="a literal star is only a star",
        rules=rows(_allow("user:ann", "a\\*"), _allow("user:ann", "\\*"), _allow("user:ann", "b\\**")),
        asks=(
            ask("user:ann", "a*", allows=(1,)),
            ask("user:ann", "ab"),
            ask("user:ann", "*", allows=(2,)),
            ask("user:ann", "b*c", allows=(3,)),
            ask("user:ann", "bc"),
        ),
    ),
    Case(
        id="commas, quotes, spaces, brackets and line ends are letters like others",
        rules=rows(*(_allow("user:ann", text) for text in _ODD)),
        asks=tuple(ask("user:ann", text, allows=(number,)) for number, text in enumerate(_ODD, 1)),
    ),
    Case(
        id="text is compared as it is, without folding",
        rules=rows(_allow("user:ann", "caf\u00e9"), _allow("user:ann", "\u212a"), _allow("user:ann", "\U0001f510*")),
        asks=(
            ask("user:ann", "caf\u00e9", allows=(1,)),
            ask("user:ann", "cafe\u0301"),
            ask("user:ann", "K"),
            ask("user:ann", "\U0001f510x", allows=(3,)),
        ),
    ),
    Case(
        id="a user called like a role is not that role",
        rules=rows(_allow("role:admin")),
        asks=(ask("user:role:admin", "read"), ask("role:admin", "read", allows=(1,))),
    ),
    Case(
        id="a role that is held on one server is not held on another",
        rules=rows(
            ("user:ann", "role:a", "ops"),
            ("role:a", "role:b", "ops"),
            ("role:b", "role:c"),
            ("role:c", "role:d", "billing"),
            ("user:bob", "role:b"),
            ("role:b", "*", "tools/call", "read", "allow"),
            ("role:c", "*", "tools/call", "read", "allow"),
            ("role:d", "*", "tools/call", "read", "deny"),
        ),
        asks=(
            ask("user:ann", "read", allows=(6, 7)),
            ask("user:ann", "read", server="billing"),
            ask("user:bob", "read", allows=(6, 7)),
            ask("user:bob", "read", server="billing", allows=(6, 7), denies=(8,)),
        ),
    ),
    Case(
        id="a rule for a group of tools is one for every tool in it, to any depth",
        rules=rows(
            *(("g2", f"group{depth}", "in", f"group{depth + 1}") for depth in range(20)),
            ("g2", "read", "in", "group0"),
            ("g2", "read", "in", "other"),
            _allow("user:ann", "group20"),
            _deny("user:ann", "group1"),
            _allow("user:bob", "other"),
            _allow("user:bob", "gr*"),
        ),
        asks=(
            ask("user:ann", "read", allows=(23,), denies=(24,)),
            ask("user:ann", "group5", allows=(23,)),
            ask("user:ann", "other"),
            ask("user:bob", "read", allows=(25, 26)),
            ask("user:bob", "write"),
        ),
    ),
    Case(
        id="the same row twice is named twice",
        rules=rows(_allow("user:ann"), _allow("user:ann"), ("user:ann", "role:x"), ("user:ann", "role:x")),
        asks=(ask("user:ann", "read", allows=(1, 2)),),
    ),
)
"""Every engine answers these so."""
