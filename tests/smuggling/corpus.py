"""Reads the corpus `tests/corpus/smuggling/*.toml`, and turns a case into the bytes that a client sends.

A case has a `name`, perhaps `why`, and the request: `start` (the request line), `headers` that are added, `without`
those that every request has, and one of `body` (text), `latin` (each character is one byte), `chunks` (sent as such)
or `raw` (as it is). `length` replaces the true Content-Length, empty for none; `then` follows on the same connection,
`keep` leaves it open for that, `cut` ends it.
What must come of it: `expect`, the statuses that refuse it (0: no answer at all), or `judged`: the question that was
asked about the very bytes that went on; with both, either. `also` are statuses of further answers, `unseen` what the
server must not see.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "corpus" / "smuggling"
PLAIN = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}'
ALWAYS = {
    "host": "Host: gateway.example",
    "authorization": "Authorization: Bearer token-alice",
    "content-type": "Content-Type: application/json",
    "accept": "Accept: application/json, text/event-stream",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request, and what must come of it."""

    name: str
    why: str = ""
    start: str = "POST /mcp HTTP/1.1"
    headers: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    body: str | None = None
    latin: str | None = None
    chunks: list[str] | None = None
    raw: str | None = None
    length: str | None = None
    then: str = ""
    keep: bool = False
    cut: bool = False
    expect: list[int] = field(default_factory=list)
    judged: dict[str, str] = field(default_factory=dict)
    also: list[int] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.expect or self.judged, f"{self.name}: `expect` or `judged`"

    @property
    def content(self) -> bytes:
        """The body as whoever reads it gets it."""
        if self.chunks is not None:
            return "".join(self.chunks).encode()
        if self.latin is not None:
            return self.latin.encode("latin-1")
        return (self.raw if self.raw is not None else PLAIN if self.body is None else self.body).encode()

    def sent(self) -> bytes:
        """Spell the request."""
        lines = [self.start, *(line for name, line in ALWAYS.items() if name not in self.without), *self.headers]
        if self.chunks is not None:
            lines.append("Transfer-Encoding: chunked")
        elif self.length != "":
            lines.append(f"Content-Length: {len(self.content) if self.length is None else self.length}")
        if not self.keep:
            lines.append("Connection: close")
        head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
        head = head.replace("{longish}", "a" * 20_000).replace("{long}", "a" * 100_000)
        return head.encode("latin-1") + self._framed() + self.then.encode("latin-1")

    def _framed(self) -> bytes:
        if self.chunks is None:
            return self.content
        pieces = [piece.encode() for piece in self.chunks]
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def cases() -> list[tuple[str, Case]]:
    """Give every case with the name of its file."""
    found: list[tuple[str, Case]] = []
    for path in sorted(FOLDER.glob("*.toml")):
        said: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [(path.stem, Case(**one)) for one in said["case"]]
    return found
