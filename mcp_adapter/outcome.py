"""Looking, in passing, at whether a tool reported an error."""

from typing import Final

import msgspec

from mcp_adapter.sse import Events, TooLong

_LARGEST: Final = 64 * 1024


class _Result(msgspec.Struct):
    is_error: bool = msgspec.field(default=False, name="isError")


class _Answer(msgspec.Struct):
    id: str | int | None = None
    result: _Result | None = None
    error: object = None


_decoder: Final = msgspec.json.Decoder(_Answer)


class Tap:
    """Keeps a copy of a small answer, until it can say whether the tool failed."""

    def __init__(self, request_id: str | int | None) -> None:
        """Take the id of the request whose answer counts."""
        self.streams = False
        self._request_id = request_id
        self._kept: bytearray | None = bytearray()

    def take(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > _LARGEST:
                self._kept = None

    def failed(self) -> bool | None:
        """Say whether the answer is an error; None when it was too large, or did not say."""
        if self._kept is None:
            return None
        body = bytes(self._kept)
        for data in _events(body) if self.streams else [body]:
            try:
                answer = _decoder.decode(data)
            except msgspec.DecodeError:
                continue
            if answer.id == self._request_id and (answer.result is not None or answer.error is not None):
                return answer.error is not None or (answer.result is not None and answer.result.is_error)
        return None


def _events(body: bytes) -> list[bytes]:
    events = Events(_LARGEST)
    try:
        return [block.data for block in (*events.feed(body), *events.end()) if block.data]
    except TooLong:  # pragma: no cover - the whole is no longer than that
        return []
