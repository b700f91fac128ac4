"""The operational log: lower-case event names with fields, by structlog, on standard error."""

import sys

import structlog


def configure(*, json_lines: bool | None = None) -> None:
    """Set the log up once, at the start of a process: text for a terminal, JSON for a pipe, unless told."""
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=22)
    )
    if as_json:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
