"""Taking out of a list what the caller may not use."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from mcp_adapter import methods, uris
from mcp_adapter.methods import LISTINGS, Listing
from mcp_adapter.pdp import Item

Raws = dict[str, msgspec.Raw]
Sift = Callable[[Sequence[Item]], Awaitable[tuple[bool, ...]]]
"""Says of each item whether the caller may see it; raises `Unanswered`."""

_PRIVATE: Final = msgspec.Raw(b'"private"')
_object: Final = msgspec.json.Decoder(Raws)
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])
_objects: Final = msgspec.json.Decoder(list[Raws])


class Unreadable(Exception):
    """The server's answer cannot be filtered, so it cannot be passed on."""


class Filter:
    """Filters messages of one answer; `listed` and `hidden` count what the caller saw and did not see.

    Entries keep their order and their bytes, the result keeps its cursor, and it is marked as the caller's own:
    `cacheScope: "private"` (2026-07-28, "Caching").
    """

    def __init__(
        self,
        sift: Sift,
        *,
        modern: bool,
        task: Callable[[str], str] = lambda name: "",
        learn: Callable[[Raws], None] = lambda entry: None,
        note: Callable[[Sequence[Item], Sequence[bool]], None] = lambda items, shown: None,
    ) -> None:
        """Take who judges the entries, and whether the request is of the 2026-07-28 era.

        `task` gives the tool that made a task of this caller, or nothing; `learn` is shown every tool as it stands;
        `note` hears what of each list is shown.
        """
        self._sift = sift
        self._modern = modern
        self._task = task
        self._learn = learn
        self._note = note
        self.listed: int | None = None
        self.hidden: int | None = None

    async def payload(self, data: bytes) -> bytes:
        """Give a message, or an array of them, without what is not to be seen; raises `Unreadable`, `Unanswered`."""
        try:
            if data.lstrip(b" \t\r\n").startswith(b"["):  # servers of 2025-03-26 may send batches
                parts = [await self._message(bytes(part)) for part in _array.decode(data)]
                return b"[" + b",".join(parts) + b"]"
            return await self._message(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(f"an answer of the server is not the JSON that was expected: {error}") from None

    async def _message(self, data: bytes) -> bytes:
        message = _object.decode(data)
        raw = message.get("result")
        if raw is None or not bytes(raw).startswith(b"{"):
            return data
        result = _object.decode(raw)
        listings = [listing for listing in LISTINGS if listing.key in result]
        if not listings and "cacheScope" not in result:
            return data
        await self._lists(result, listings)
        if self._modern or "cacheScope" in result:
            # What may be read depends on who asks, so what was read is the caller's own as well.
            result["cacheScope"] = _PRIVATE
        # Written anew from what was read, so that a reader who takes the first of two keys sees nothing else.
        message["result"] = msgspec.Raw(msgspec.json.encode(result))
        return msgspec.json.encode(message)

    async def _lists(self, result: Raws, listings: list[Listing]) -> None:
        """Filter all lists of one result by one question."""
        if not listings:
            return
        entries = [(listing, entry) for listing in listings for entry in _objects.decode(result[listing.key])]
        asked = [(at, item) for at, pair in enumerate(entries) if (item := self._item(*pair)) is not None]
        seen = await self._sift([item for _, item in asked]) if asked else ()
        shown = {at for (at, _), yes in zip(asked, seen, strict=True) if yes}
        for listing in listings:
            told = [(item, yes) for (at, item), yes in zip(asked, seen, strict=True) if entries[at][0] is listing]
            self._note([item for item, _ in told], [yes for _, yes in told])
        for listing in listings:
            kept = [entry for at, (whose, entry) in enumerate(entries) if whose is listing and at in shown]
            result[listing.key] = msgspec.Raw(msgspec.json.encode(kept))
        self.listed = (self.listed or 0) + len(shown)
        self.hidden = (self.hidden or 0) + len(entries) - len(shown)

    def _item(self, listing: Listing, entry: Raws) -> Item | None:
        item = _item(listing, entry)
        if listing.key == "tools":
            self._learn(entry)
        if item is None or listing.key != "tasks":
            return item
        tool = self._task(item.tool)  # a task is shown to its maker, who may still use the tool that made it
        return Item(method=item.method, tool=tool) if tool else None


def _item(listing: Listing, entry: Raws) -> Item | None:
    """Give what to ask about an entry, or None for one that nobody could call: it is hidden."""
    if listing.name not in entry:
        return None
    try:
        name = msgspec.json.decode(entry[listing.name], type=str)
    except msgspec.DecodeError:
        return None
    if not name or len(name.encode("utf-8", "replace")) > methods.LONGEST_TOOL:
        return None  # the empty name would ask about the list itself, which everybody may see
    if listing.name.startswith("uri") and uris.wrong(name):
        return None
    return Item(method=listing.method, tool=name)
