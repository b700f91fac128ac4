"""The assistant's data: inventory and tickets in one SQLite file."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

Priority = Literal["low", "normal", "high"]
Status = Literal["open", "closed"]

_WAIT: Final = 5.0  # seconds that a writer waits for another one

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS items (
  sku TEXT PRIMARY KEY, name TEXT NOT NULL, location TEXT NOT NULL, quantity INTEGER NOT NULL CHECK (quantity >= 0)
) STRICT;
-- AUTOINCREMENT: the number of a deleted ticket is never given to another one.
CREATE TABLE IF NOT EXISTS tickets (
  id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, body TEXT NOT NULL,
  priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high')),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
  author TEXT NOT NULL, issuer TEXT NOT NULL, created TEXT NOT NULL
) STRICT;
"""

_ITEMS: Final = (
    ("LAP-14", "Laptop, 14 inch", "Shelf A1", 12),
    ("LAP-16", "Laptop, 16 inch", "Shelf A2", 3),
    ("MON-27", "Monitor, 27 inch", "Shelf B1", 8),
    ("DOC-USB", "USB-C dock", "Shelf B2", 0),
    ("KEY-US", "Keyboard, US layout", "Drawer C1", 25),
    ("CAB-HDMI", "HDMI cable, 2 m", "Drawer C2", 140),
)

_TICKETS: Final = (
    ("Dock does not charge", "The dock at desk 14 shows no light.", "high", "open", "dana", "", "2026-01-05T08:30:00Z"),
    ("New monitor", "Please bring a second monitor to desk 3.", "low", "closed", "eli", "", "2026-01-06T09:15:00Z"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A thing in stock."""

    sku: str
    name: str
    location: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote a ticket: a `subject` is unique only together with its `issuer`."""

    subject: str
    issuer: str = ""


@dataclass(frozen=True, kw_only=True)  # no slots: the MCP SDK makes no output schema of a class that has them
class Ticket:
    """A request to the operations team."""

    id: int
    title: str
    body: str
    priority: Priority
    status: Status
    author: str
    issuer: str
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The state of the stock and the desk in four numbers."""

    kinds: int
    pieces: int
    sold_out: int
    open_tickets: int


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Reads and writes the file; every call has a connection of its own, so calls may come from any thread."""

    def __init__(self, path: Path, *, now: Callable[[], datetime] = _now) -> None:
        """Open the file, or make it with its first rows; raises `OSError` or `sqlite3.Error`."""
        self._path = path
        self._now = now
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")  # readers never wait for a writer
            database.executescript(_SCHEMA)
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")  # two processes that start together seed once
            if database.execute("SELECT count(*) FROM items").fetchone()[0] == 0:
                database.executemany("INSERT INTO items (sku, name, location, quantity) VALUES (?, ?, ?, ?)", _ITEMS)
                database.executemany(
                    "INSERT INTO tickets (title, body, priority, status, author, issuer, created)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    _TICKETS,
                )

    def find_items(self, query: str) -> list[Item]:
        """Give the items whose number or name contains the query, in any case; all of them for an empty query."""
        with self._open() as database:
            # `instr` and not `LIKE`: a `%` in the query is a percent sign.
            rows = database.execute(
                "SELECT sku, name, location, quantity FROM items"
                " WHERE instr(lower(sku), lower(:query)) OR instr(lower(name), lower(:query)) ORDER BY sku",
                {"query": query},
            )
            return [Item(**row) for row in rows]

    def item(self, sku: str) -> Item | None:
        """Give one item by its exact number."""
        with self._open() as database:
            row = database.execute("SELECT sku, name, location, quantity FROM items WHERE sku = ?", (sku,)).fetchone()
            return None if row is None else Item(**row)

    def summary(self) -> Summary:
        """Count what there is."""
        with self._open() as database:
            row = database.execute(
                "SELECT count(*) AS kinds, coalesce(sum(quantity), 0) AS pieces,"
                " coalesce(sum(quantity = 0), 0) AS sold_out,"
                " (SELECT count(*) FROM tickets WHERE status = 'open') AS open_tickets FROM items"
            ).fetchone()
            return Summary(**row)

    def add_ticket(self, title: str, body: str, priority: Priority, author: Author) -> Ticket:
        """Write a new open ticket and give it back with its number."""
        created = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._open() as database:
            row = database.execute(
                "INSERT INTO tickets (title, body, priority, author, issuer, created)"
                " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
                (title, body, priority, author.subject, author.issuer, created),
            ).fetchone()
            return Ticket(**row)

    def tickets(self, status: Status | None = None) -> list[Ticket]:
        """Give the tickets, or those with one status, oldest first."""
        with self._open() as database:
            rows = database.execute(
                "SELECT * FROM tickets WHERE :status IS NULL OR status = :status ORDER BY id", {"status": status}
            )
            return [Ticket(**row) for row in rows]

    def ticket(self, number: int) -> Ticket | None:
        """Give one ticket by its number."""
        with self._open() as database:
            row = database.execute("SELECT * FROM tickets WHERE id = ?", (number,)).fetchone()
            return None if row is None else Ticket(**row)

    def remove_ticket(self, number: int) -> bool:
        """Delete a ticket for good; False when there is none with this number."""
        with self._open() as database:
            return database.execute("DELETE FROM tickets WHERE id = ?", (number,)).rowcount == 1

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose work is committed at the end, or rolled back by an exception."""
        with closing(sqlite3.connect(self._path, timeout=_WAIT)) as database, database:
            database.row_factory = sqlite3.Row
            yield database
