"""Where lines go besides a file: standard streams, a person's terminal, several sinks at once."""

from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, TextIO

import msgspec
from structlog.dev import ConsoleRenderer

from authz_sidecar.audit.escape import in_text
from authz_sidecar.linelog import LineSink, LogUnavailable

_TOP: Final = ("type", "allowed", "reason", "server", "method", "tool", "action", "outcome")
"""What a person looks for first."""
_HIDDEN: Final = frozenset({"v", "token_digest", "arguments_digest", "revision"})


class StreamSink:
    """Writes each line to a binary stream at once, for collectors that read standard output.

    A reader that stops reading stops the sidecar: no answer goes out that was not written.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Take the stream; it is not closed."""
        self._stream = stream
        self._closed = False

    def put(self, line: bytes) -> None:
        """Write a line, or raise `LogUnavailable`."""
        if self._closed:
            raise LogUnavailable("the stream sink is closed")
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise LogUnavailable(f"the stream cannot be written: {error}") from None

    def close(self) -> None:
        """Take nothing afterwards."""
        self._closed = True


class ConsoleSink:
    """Writes each event as a line that people read, by structlog; for development."""

    def __init__(self, stream: TextIO, *, colors: bool = False) -> None:
        """Take the stream; it is not closed."""
        self._stream = stream
        self._closed = False
        self._render = ConsoleRenderer(colors=colors, sort_keys=False, pad_event_to=10)

    def put(self, line: bytes) -> None:
        """Write a line, or raise `LogUnavailable`."""
        if self._closed:
            raise LogUnavailable("the console sink is closed")
        event: dict[str, object] = msgspec.json.decode(line, type=dict[str, object])
        shown = {"timestamp": event.pop("time", ""), "event": event.pop("type", "event")}
        shown |= {name: event[name] for name in _TOP if name in event}
        shown |= {name: event[name] for name in event if name not in _HIDDEN and name not in shown}
        text = self._render(None, "info", {name: _plain(value) for name, value in shown.items()})
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise LogUnavailable(f"the console cannot be written: {error}") from None

    def close(self) -> None:
        """Take nothing afterwards."""
        self._closed = True


class Fanout:
    """Gives each line to several sinks."""

    def __init__(self, *sinks: LineSink) -> None:
        """Take the sinks, in order."""
        self._sinks = sinks

    def put(self, line: bytes) -> None:
        """Give the line to every sink, then raise `LogUnavailable` when one of them did not take it."""
        self._each(lambda sink: sink.put(line))

    def close(self) -> None:
        """Close every sink."""
        self._each(lambda sink: sink.close())

    def _each(self, act: Callable[[LineSink], None]) -> None:
        failed: LogUnavailable | None = None
        for sink in self._sinks:
            try:
                act(sink)
            except LogUnavailable as error:
                failed = failed or error
        if failed is not None:
            raise failed


def _plain(value: object) -> str:
    match value:
        case str():
            return in_text(value) or "''"
        case Mapping():
            return " ".join(f"{_plain(name)}:{_plain(each)}" for name, each in value.items())
        case list():
            return ", ".join(_plain(each) for each in value)
        case _:
            return str(value)
