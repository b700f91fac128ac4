"""Answers of a server, alone and as an event of a stream; one lists what a caller may not see."""

import json


def answer(result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


LISTING = answer({"tools": [{"name": "open"}, {"name": "secret"}], "nextCursor": "c"})


def event(data: bytes, end: bytes = b"\n") -> bytes:
    return b"id: 1" + end + b"data: " + data + end + end
