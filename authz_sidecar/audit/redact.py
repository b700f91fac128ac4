"""Takes a token out of whatever else of a question is written down: a caller may have put it anywhere."""

from dataclasses import replace
from typing import Final

from authz_sidecar.model import Query, Question

MARK: Final = "[token]"
_SHORTEST: Final = 8
"""Characters of what can be a token at all; less would cut words."""


def redact(text: str, token: str) -> str:
    """Give the text without the token."""
    return text.replace(token, MARK) if len(token) >= _SHORTEST else text


def redacted(query: Query) -> Query:
    """Give the query with its token in no field but its own; nearly always that is the query itself."""
    token = query.token.text
    if len(token) < _SHORTEST:
        return query
    texts = (query.server, query.request_id, *query.context, *query.context.values())
    asked = query.questions
    if not any(token in text for text in texts) and not any(token in one.method or token in one.tool for one in asked):
        return query
    return replace(
        query,
        server=redact(query.server, token),
        request_id=redact(query.request_id, token),
        context={redact(name, token): redact(value, token) for name, value in query.context.items()},
        questions=tuple(_question(one, token) for one in asked),
    )


def _question(one: Question, token: str) -> Question:
    return replace(one, method=redact(one.method, token), tool=redact(one.tool, token))
