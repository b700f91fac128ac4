"""A policy engine in a package of its own: the rows go into SQLite, and one query answers a question."""

import sqlite3
from typing import Final

from authz_sidecar.errors import EngineError
from authz_sidecar.rules import Effect, Membership, Pattern, Rules, Verdict

_TABLES: Final = """
CREATE TABLE rules (place INTEGER PRIMARY KEY,
    subject BLOB, subject_prefix INT, server BLOB, server_prefix INT,
    method BLOB, method_prefix INT, tool BLOB, tool_prefix INT);
CREATE TABLE holds (kind TEXT, member BLOB, role BLOB, server BLOB);
CREATE INDEX members ON holds (kind, member);
CREATE TEMP TABLE asked (name BLOB PRIMARY KEY);
"""

# Blobs are compared byte by byte, so that a NUL or a letter in another case is only what it is.
_MATCHES: Final = "(({0}_prefix AND substr({1}, 1, length({0})) = {0}) OR {0} = {1})"
_QUERY: Final = f"""
WITH RECURSIVE
  names(name) AS (
    SELECT name FROM asked
    UNION SELECT role FROM holds JOIN names ON kind = 'g' AND member = name
      WHERE holds.server IS NULL OR holds.server = :server),
  tools(name) AS (
    VALUES (:tool) UNION SELECT role FROM holds JOIN tools ON kind = 'g2' AND member = name)
SELECT place FROM rules
WHERE {_MATCHES.format("server", ":server")} AND {_MATCHES.format("method", ":method")}
  AND EXISTS (SELECT 1 FROM tools WHERE {_MATCHES.format("tool", "name")})
  AND EXISTS (SELECT 1 FROM names WHERE {_MATCHES.format("subject", "name")})
ORDER BY place
"""  # noqa: S608 - nothing of a policy or a question is in the text


class SqlitePolicy:
    """A policy in a database in memory, which nobody changes any more."""

    def __init__(self, rules: Rules) -> None:
        """Fill the database."""
        self._rules = rules.rules
        # Policies are compiled in one thread and asked in another, never in two at once.
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.executescript(_TABLES)
        rows = [
            (place, *_both(rule.subject), *_both(rule.server), *_both(rule.method), *_both(rule.tool))
            for place, rule in enumerate(rules.rules)
        ]
        self._database.executemany("INSERT INTO rules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        held = [("g", row) for row in rules.memberships] + [("g2", row) for row in rules.tool_groups]
        self._database.executemany("INSERT INTO holds VALUES (?, ?, ?, ?)", [_held(kind, row) for kind, row in held])

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Find every rule that speaks to this call; raises `EngineError` when SQLite cannot say."""
        try:
            self._database.execute("DELETE FROM asked")
            self._database.executemany("INSERT INTO asked VALUES (?)", [(_bytes(name),) for name in subjects])
            question = {"server": _bytes(server), "method": _bytes(method), "tool": _bytes(tool)}
            found = [self._rules[place] for (place,) in self._database.execute(_QUERY, question)]
        except sqlite3.Error as error:
            raise EngineError(f"sqlite failed: {error}") from error
        return Verdict(
            allows=tuple(rule for rule in found if rule.effect is Effect.ALLOW),
            denies=tuple(rule for rule in found if rule.effect is Effect.DENY),
        )


class SqliteEngine:
    """Puts the rows into SQLite."""

    name = "sqlite"

    def compile(self, rules: Rules) -> SqlitePolicy:
        """Make a database of this policy alone."""
        return SqlitePolicy(rules)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _both(pattern: Pattern) -> tuple[bytes, bool]:
    return _bytes(pattern.text), pattern.prefix


def _held(kind: str, row: Membership) -> tuple[str, bytes, bytes, bytes | None]:
    return kind, _bytes(row.member), _bytes(row.role), None if row.server is None else _bytes(row.server)
