"""Reading one MCP message, so strictly that nobody can read it differently."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from authz_sidecar import strictjson
from mcp_adapter.refusal import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Refusal

DEPTH: Final = 64
_LONGEST_METHOD: Final = 256
_ENVELOPE: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_EXACT: Final = {"taskid": "taskId", "inputresponses": "inputResponses", "requeststate": "requestState"}
_PARAMS: Final = frozenset({"_meta", "arguments", "cursor", "name", "notifications", "ref", "task", "uri", *_EXACT})
_raws: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Kind(StrEnum):
    """The three shapes of a message."""

    NOTIFICATION = "notification"
    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a client says, as everybody reads it."""

    kind: Kind
    id: str | int | None = None
    method: str = ""
    """Empty for a response."""
    params: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    arguments: bytes = b""
    """`params.arguments` as the very bytes that were received; empty when absent or null."""


def read(body: bytes) -> Message:
    """Read one message, or raise `Refusal` (400); no other exception leaves here, whatever the bytes."""
    try:
        value = strictjson.loads(body, max_depth=DEPTH)
    except strictjson.StrictJsonError as error:
        raise Refusal(400, PARSE_ERROR, f"the body {error}") from None
    if not isinstance(value, dict):
        raise Refusal(400, INVALID_REQUEST, "the body is not one JSON-RPC message: batches are not accepted")
    return _message(value, body)


def _message(value: dict[str, object], body: bytes) -> Message:
    named = value.get("id")
    known = named if isinstance(named, str | int) and not isinstance(named, bool) else None
    try:
        _no_lookalikes(value, _ENVELOPE, INVALID_REQUEST)
        if value.get("jsonrpc") != "2.0":
            raise Refusal(400, INVALID_REQUEST, '`jsonrpc` is not "2.0"')
        if "id" in value and known is None:
            raise Refusal(400, INVALID_REQUEST, "`id` is neither a string nor an integer")
        if "method" in value:
            return _call(value, known, body)
        return _response(value, known)
    except Refusal as refusal:
        raise Refusal(refusal.status, refusal.code, refusal.message, request_id=known) from None


def _response(value: dict[str, object], known: str | int | None) -> Message:
    if ("result" in value) is ("error" in value) or "params" in value:
        raise Refusal(400, INVALID_REQUEST, "the body is neither a request, a notification nor a response")
    if known is None:
        raise Refusal(400, INVALID_REQUEST, "a response needs an `id`")
    return Message(kind=Kind.RESPONSE, id=known)


def _call(value: dict[str, object], known: str | int | None, body: bytes) -> Message:
    method = value["method"]
    if not isinstance(method, str) or not method or len(method.encode()) > _LONGEST_METHOD:
        raise Refusal(400, INVALID_REQUEST, f"`method` is not a string of 1 to {_LONGEST_METHOD} bytes")
    if "result" in value or "error" in value:
        raise Refusal(400, INVALID_REQUEST, "the body is a call and a response at once")
    if method.startswith("notifications/") is (known is not None):
        # A request without an id would be executed by some servers and ignored by others.
        raise Refusal(400, INVALID_REQUEST, "a request needs an `id`, a notification has none")
    params = value.get("params", {})
    if not isinstance(params, dict):
        raise Refusal(400, INVALID_PARAMS, "`params` is not an object")
    _no_lookalikes(params, _PARAMS, INVALID_PARAMS)
    return Message(
        kind=Kind.NOTIFICATION if known is None else Kind.REQUEST,
        id=known,
        method=method,
        params=MappingProxyType(params),
        arguments=_arguments(params, body),
    )


def _arguments(params: dict[str, object], body: bytes) -> bytes:
    """Cut the arguments out of the body, since parsing and writing them again could change them."""
    if params.get("arguments") is None:
        return b""
    if not isinstance(params["arguments"], dict):
        raise Refusal(400, INVALID_PARAMS, "`arguments` is not an object")
    # INVARIANT: the strict reader has proved that every key is there once, so that there is one slice to find.
    return bytes(_raws.decode(_raws.decode(body)["params"])["arguments"])


def _no_lookalikes(value: dict[str, object], names: frozenset[str], code: int) -> None:
    """Refuse `Params` or `NAME`: a server that folds case (CVE-2026-27896) would obey what we did not judge."""
    for key in value:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())
        if folded in names and key != _EXACT.get(folded, folded):
            raise Refusal(400, code, "a key reads like one of the protocol but is spelled differently")
