"""What a client of the matrix is to do: where the server is, with which tokens, and which three calls."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.matrix.standing import Standing
from tests.process import grounds

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """A call that is allowed, one that needs a scope, one that nobody may make; and what the first two answer."""

    allowed: Call
    stepped: Call
    denied: Call
    answers: tuple[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The kinds of calls, in the order in which they are made."""
        return ("allowed", "stepped", "denied")

    @property
    def visible(self) -> list[str]:
        """What the caller sees in the list."""
        return sorted((self.allowed[0], self.stepped[0]))


EVERYTHING: Final = Calls(
    allowed=("echo", {"message": "hello"}),
    stepped=("get-sum", {"a": 2, "b": 3}),
    denied=("get-env", {}),
    answers=("Echo: hello", "The sum of 2 and 3 is 5."),
)


def files(folder: Path) -> Calls:
    """Give the calls for server-filesystem over a folder in which `note.txt` says hello."""
    return Calls(
        allowed=("list_directory", {"path": str(folder)}),
        stepped=("read_text_file", {"path": str(folder / "note.txt")}),
        denied=("write_file", {"path": str(folder / "note.txt"), "content": "overwritten"}),
        answers=("note.txt", "hello"),
    )


def plan(ground: Any, standing: Standing, calls: Calls) -> dict[str, Any]:
    """Give the plan as the client programs read it."""
    told: dict[str, Any] = {
        "token": grounds.token(ground, "alice"),
        "wider": grounds.token(ground, "alice", standing.scope),
        # Of somebody who sees in the list what nobody may call: some clients call only what is listed.
        "shown": grounds.token(ground, "ines"),
        "calls": {"allowed": calls.allowed, "stepped": calls.stepped, "denied": calls.denied},
    }
    if standing.token_file is None:
        return {**told, "url": standing.url}
    standing.token_file.write_text(told["token"])
    return {**told, "command": standing.url, "token_file": str(standing.token_file)}
