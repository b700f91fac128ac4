"""Tells the steps of the circle to a person who reads, and remembers whether each was as it should be."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from examples.oauth_flow.app import Exchange


class Teller:
    """Prints; `right` stays true as long as everything was as expected."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)
        self._number = 0
        self.right = True

    def title(self, words: str) -> None:
        """Begin a part; its steps are counted from one."""
        self._number = 0
        self._console.print(f"\n[bold underline]{escape(words)}[/]")

    def step(self, words: str) -> None:
        """Begin a step."""
        self._number += 1
        self._console.print(f"\n[bold]{self._number}[/]  [bold]{escape(words)}[/]")

    def say(self, words: str) -> None:
        """Tell what happened."""
        self._console.print(f"   {escape(words)}", soft_wrap=True)

    def show(self, tape: Iterable[Exchange | str], names: dict[str, str]) -> None:
        """Show requests and their answers, and pages; `names` are those of the servers by their origin."""
        for one in tape:
            if isinstance(one, str):
                self._console.print(f"   [blue]{'browser':13}[/] {escape(one)}", soft_wrap=True)
                continue
            colour = "red" if one.status >= 400 else "green"
            whom = escape(f"{names.get(one.origin, one.origin):13} {one.method:4} {one.path}")
            told = f"  [dim]{escape(one.challenge)}[/]" if one.challenge else ""
            self._console.print(f"   {whom} [{colour}]{one.status}[/]{told}", soft_wrap=True)

    def check(self, right: bool, otherwise: str) -> None:
        """Hold a step to what it should be."""
        self.right &= right
        if not right:
            self._console.print(f"   [bold red]not as expected:[/] {escape(otherwise)}", soft_wrap=True)

    def left_out(self, words: str) -> None:
        """Say what could not be shown here; that is no failure."""
        self._console.print(f"\n{escape(words)}")

    def end(self) -> int:
        """Say how it ended; gives the exit code."""
        good = "[bold green]Every step was as the specifications and the policy say.[/] See docs/oauth.md."
        self._console.print("\n" + (good if self.right else "[bold red]Some steps were not as they should be.[/]"))
        return 0 if self.right else 1
