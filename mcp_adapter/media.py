"""Reading a media type; what is not understood is not guessed."""

import re
from typing import Final

from mcp_adapter.refusal import INVALID_REQUEST, Refusal

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA: Final = re.compile(rb"[ \t]*(" + _TOKEN + rb"/" + _TOKEN + rb")[ \t]*")
_PARAMETER: Final = re.compile(rb";[ \t]*(" + _TOKEN + rb")=(" + _TOKEN + rb'|"[^"\\\x00-\x1f\x7f]*")[ \t]*')

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


def parse(value: bytes) -> tuple[str, dict[str, str]] | None:
    """Give type and parameters in lower case (RFC 9110 section 8.3.1), or None when it does not parse to its end."""
    head = _MEDIA.match(value)
    if head is None:
        return None
    parameters: dict[str, str] = {}
    at = head.end()
    while at < len(value):
        found = _PARAMETER.match(value, at)
        if found is None:
            return None
        name = found[1].decode("ascii").lower()
        if name in parameters:
            return None
        parameters[name] = found[2].strip(b'"').decode("latin-1").lower()
        at = found.end()
    return head[1].decode("ascii").lower(), parameters


def require_json(content_type: bytes | None, content_encoding: bytes | None) -> None:
    """Let pass only plain JSON in UTF-8; raises `Refusal` (415).

    The threat: a filter that does not know the type lets the body pass unread, and the server behind it executes it.
    """
    if content_encoding is not None:
        raise Refusal(415, INVALID_REQUEST, "a request with a content-encoding is not read: send it uncompressed")
    media = None if content_type is None else parse(content_type)
    if media is None or media[0] != JSON:
        raise Refusal(415, INVALID_REQUEST, "content-type is not `application/json`")
    if media[1] not in ({}, {"charset": "utf-8"}):
        raise Refusal(415, INVALID_REQUEST, "content-type has a parameter other than `charset=utf-8`")
