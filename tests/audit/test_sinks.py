"""Standard streams, the console and several sinks at once."""

import io

import pytest

from authz_sidecar.audit.sinks import ConsoleSink, Fanout, StreamSink
from authz_sidecar.events import AdminEvent, encode
from authz_sidecar.linelog import LogUnavailable
from tests.audit.lines import NO, Kept, answer, ledger, principal, query


class Broken(io.RawIOBase):
    def write(self, data: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class BrokenText(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_stream_gets_the_line_as_it_is() -> None:
    stream = io.BytesIO()
    sink = StreamSink(stream)
    sink.put(b"{}\n")
    assert stream.getvalue() == b"{}\n"
    sink.close()
    assert not stream.closed


@pytest.mark.parametrize("sink", [StreamSink(Broken()), ConsoleSink(BrokenText())], ids=["stream", "console"])  # type: ignore[arg-type]
def test_a_stream_that_fails_takes_no_line(sink: StreamSink | ConsoleSink) -> None:
    line = encode(AdminEvent(v=1, time="t", action="start", outcome="ok"))
    with pytest.raises(LogUnavailable, match="Broken pipe"):
        sink.put(line)
    sink.close()
    with pytest.raises(LogUnavailable, match="closed"):
        sink.put(line)


def test_the_console_shows_a_decision_on_one_line_with_what_matters_first() -> None:
    stream = io.StringIO()
    log = ledger(ConsoleSink(stream))  # type: ignore[arg-type]
    log.record(query("evil\x1b[2J\n\x9b", context={"ip": "1"}), answer(NO, who=principal()))
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "evil\\x1b[2J\\n\\x9b" in text
    assert "2023-11-14T22:13:20.250000Z" in text
    assert text.index("reason=") < text.index("decision_id=")
    assert "canary" not in text
    assert "subject:alice" in text


def test_a_fanout_gives_the_line_to_all_even_when_one_fails() -> None:
    first, second, third = Kept(), Kept(), Kept()
    first.failing = True
    fanout = Fanout(first, second, third)
    with pytest.raises(LogUnavailable):
        fanout.put(b"{}\n")
    assert (second.lines, third.lines) == ([b"{}\n"], [b"{}\n"])
    first.failing = False
    fanout.put(b"{}\n")
    fanout.close()
    assert first.closed
    assert third.closed
