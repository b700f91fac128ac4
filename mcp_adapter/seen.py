"""Remembering what each caller last saw of the lists, to know whether a policy edit changes it."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from mcp_adapter.pdp import Item
from mcp_adapter.principal import Principal

Sift = Callable[[Sequence[Item]], Awaitable[tuple[bool, ...]]]
"""Says of each item whether the caller may see it; raises `Unanswered`."""

KIND: Final[Mapping[str, str]] = MappingProxyType(
    {
        "prompts/list": "prompts",
        "resources/list": "resources",
        "resources/templates/list": "resources",
        "tools/list": "tools",
    }
)
"""Which notification speaks of a list."""
_CALLERS: Final = 10_000
_PAGES: Final = 16
"""Pages of lists that are remembered of one caller, and"""
_LONGEST: Final = 1_000
"""the entries of a page; whoever sees more is told of no change."""
_NAMES: Final = 1_000_000
"""Entries of all pages together, each page counted once."""

_Page = tuple[str, ...]
"""The method of a list, and the names that the server offers on one page of it."""


@dataclass(slots=True)
class _Caller:
    pages: OrderedDict[_Page, int] = field(default_factory=OrderedDict)
    """Which of the names were shown: a bit for each."""
    versions: dict[str, int] = field(default_factory=dict)
    """Counts, for each kind, how often it changed under the caller's eyes."""
    heard: int | None = None
    """What had been told when it was last looked at."""


class Seen:
    """What callers saw. Names are kept once for all who see the same page: a caller costs a few hundred bytes."""

    def __init__(self, most: int = _CALLERS, names: int = _NAMES) -> None:
        """Take how much is remembered; callers who have listed nothing for longest are forgotten first."""
        self._most, self._most_names = most, names
        self._callers: OrderedDict[tuple[str, str, str], _Caller] = OrderedDict()
        self._pages: dict[_Page, tuple[_Page, int]] = {}
        self._names = 0

    def __len__(self) -> int:
        """Count the names that are kept."""
        return self._names

    def note(self, who: Principal | None, items: Sequence[Item], shown: Iterable[bool]) -> None:
        """Remember a page that a caller is about to see: what the server offers, and what of it is shown."""
        if who is None or not items or len(items) > _LONGEST or items[0].method not in KIND:
            return
        caller = self._callers.setdefault(_name(who), _Caller())
        self._callers.move_to_end(_name(who))
        page = (items[0].method, *(item.tool for item in items))
        if page not in caller.pages:
            page = self._hold(page)
        caller.pages[page] = _bits(shown)
        caller.pages.move_to_end(page)
        if len(caller.pages) > _PAGES:
            self._drop(caller.pages.popitem(last=False)[0])
        while len(self._callers) > self._most or (self._names > self._most_names and len(self._callers) > 1):
            for gone in self._callers.popitem(last=False)[1].pages:
                self._drop(gone)

    def versions(self, who: Principal | None) -> dict[str, int]:
        """Give a count for each kind of list, which goes up when what the caller may see of it changes."""
        caller = None if who is None else self._callers.get(_name(who))
        return {} if caller is None else dict(caller.versions)

    async def look(self, who: Principal | None, heard: int, sift: Sift) -> dict[str, int]:
        """Ask again about what the caller saw, once for all of the caller's streams; raises `Unanswered`."""
        caller = None if who is None else self._callers.get(_name(who))
        if caller is None:
            return {}
        if caller.heard != heard:
            pages = list(caller.pages)
            items = [Item(method=page[0], tool=tool) for page in pages for tool in page[1:]]
            shown = iter(await sift(items))
            for page in pages:
                bits = _bits(next(shown) for _ in page[1:])
                if caller.pages.get(page, bits) != bits:
                    caller.pages[page] = bits
                    kind = KIND[page[0]]
                    caller.versions[kind] = caller.versions.get(kind, 0) + 1
            caller.heard = heard
        return dict(caller.versions)

    def _hold(self, page: _Page) -> _Page:
        """Give the page as all hold it who see the same."""
        same, holders = self._pages.get(page, (page, 0))
        self._names += 0 if holders else len(page) - 1
        self._pages[same] = same, holders + 1
        return same

    def _drop(self, page: _Page) -> None:
        """Let go of a page: the lists of some servers never read alike twice."""
        same, holders = self._pages[page]
        if holders > 1:
            self._pages[same] = same, holders - 1
            return
        del self._pages[page]
        self._names -= len(page) - 1


def _bits(shown: Iterable[bool]) -> int:
    return sum(1 << at for at, yes in enumerate(shown) if yes)


def _name(who: Principal) -> tuple[str, str, str]:
    return who.issuer, who.subject, who.client_id
