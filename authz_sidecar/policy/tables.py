"""Turns the files that begin with a header, `scopes.csv` and `expectations.csv`, into checked rows."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from authz_sidecar.model import Reason
from authz_sidecar.policy import names
from authz_sidecar.policy.cells import Columns, cell, fits, titles
from authz_sidecar.policy.csvrows import Row, read
from authz_sidecar.policy.findings import Findings, one_of, quote
from authz_sidecar.policy.given import COLUMNS, object_of, read_given
from authz_sidecar.policy.names import Misspelt
from authz_sidecar.rules import Expectation, Pattern, ScopeRow

_SCOPES: Final = ("server", "method", "tool", "scopes")
_EXPECTATIONS: Final = ("subjects", "server", "method", "tool", "scopes", "args", "expect")
# An expectation begins behind the token, on a configured server: the other reasons cannot come.
_OUTCOMES: Final = (
    "allow",
    "deny",
    Reason.ALLOWED_BY_RULE.value,
    Reason.CONDITION_ERROR.value,
    Reason.DENIED_BY_RULE.value,
    Reason.INSUFFICIENT_SCOPE.value,
    Reason.METHOD_UNKNOWN.value,
    Reason.NO_MATCHING_RULE.value,
)
_ONE_EACH: Final = ("user:", "client:", "agent:")


def parse_scopes(file: str, data: bytes, places: Columns, found: Findings) -> tuple[ScopeRow, ...]:
    """Read the scopes that calls need."""
    rows: list[ScopeRow] = []
    for row, _ in _body(file, data, _SCOPES, found):
        places[file, row.line] = row.columns
        server = cell(row, 0, names.pattern, found)
        method = cell(row, 1, names.pattern, found)
        pattern = cell(row, 2, partial(tool, method=row.fields[1].text), found)
        scopes = cell(row, 3, _some_scopes, found)
        if server is not None and method is not None and pattern is not None and scopes is not None:
            rows.append(ScopeRow(server=server, method=method, tool=pattern, scopes=scopes, source=file, line=row.line))
    return tuple(rows)


def parse_expectations(file: str, data: bytes, places: Columns, found: Findings) -> tuple[Expectation, ...]:
    """Read the policy's own tests."""
    rows: list[Expectation] = []
    for row, header in _body(file, data, _EXPECTATIONS, found, further=COLUMNS):
        places[file, row.line] = row.columns
        who = cell(row, 0, subjects, found)
        server = cell(row, 1, names.literal, found)
        method = cell(row, 2, names.literal, found)
        acted_on = cell(row, 3, partial(target, method=row.fields[2].text), found)
        scopes = cell(row, 4, names.scopes, found)
        arguments = cell(row, 5, _arguments, found)
        given = read_given(row, header, found)
        expect = cell(row, 6, outcome, found)
        if who is None or server is None or method is None or acted_on is None:
            continue
        if scopes is None or arguments is None or expect is None or given is None:
            continue
        rows.append(
            Expectation(
                subjects=who,
                server=server,
                method=method,
                tool=acted_on,
                scopes=scopes,
                arguments=arguments,
                expect=expect,
                source=file,
                line=row.line,
                column=row.fields[6].column,
                given=given,
            )
        )
    return tuple(rows)


def tool(text: str, method: str, pattern: Callable[[str], Pattern] = names.pattern) -> Pattern:
    """Read the tool field of a row for this method; URIs must be such that everybody resolves them alike."""
    found = pattern(text)
    if "://" in text or names_uris(method):
        names.check_uri(found)
    return found


def names_uris(method: str) -> bool:
    """Say whether what this method acts on is a resource."""
    return method.startswith(("resources/", "subscriptions/"))


def _body(
    file: str, data: bytes, header: tuple[str, ...], found: Findings, *, further: tuple[str, ...] = ()
) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Give the rows below the header that have its length, and the header, which may end in some of `further`.

    Without the header nothing else is looked at.
    """
    before = len(found.problems)
    rows = iter(read(file, data, found))
    first = next(rows, None)
    spelled = f"expected the header `{','.join(header)}`"
    if first is None:
        # A file cut to nothing must not read as "no scopes are needed".
        if len(found.problems) == before:
            found.error(file, 0, 0, "no-header", f"is empty, {spelled}")
        return
    found_header = titles(first)
    more = found_header[len(header) :]
    if found_header[: len(header)] != header or len(set(more)) != len(more) or not set(more) <= set(further):
        if further:
            spelled += f", and behind it any of {one_of(further)}"
        found.error(file, first.line, first.fields[0].column, "no-header", f"{quote(first.text)}, {spelled}")
        return
    for row in rows:
        if fits(row, found_header, "this row", found):
            yield row, found_header


def _some_scopes(text: str) -> tuple[str, ...]:
    if not text:
        raise Misspelt("empty-field", "no scopes, remove the row when none is needed")
    return names.scopes(text)


def subjects(text: str) -> tuple[str, ...]:
    """Read who asks: names separated by blanks. Raises `Misspelt`."""
    if not text:
        raise Misspelt("empty-field", "no subjects, name who asks, for example `user:alice role:support`")
    words = text.split()
    if any(word.endswith((",", ";")) for word in words):
        raise Misspelt("several-names", f"{quote(text)} has a mark between its names, separate them by blanks alone")
    found = tuple(map(names.member, words))
    for prefix in _ONE_EACH:
        if sum(name.startswith(prefix) for name in found) > 1:
            raise Misspelt("too-many-subjects", f"{quote(text)} has more than one `{prefix}`, a token has one at most")
    return found


def target(text: str, method: str) -> str:
    """Read what is asked about: empty for a list request itself."""
    if not text:
        return ""
    literal = names.literal(text)
    tool(text, method)
    return literal


def _arguments(text: str) -> bytes:
    try:
        object_of(text)
    except Misspelt as error:
        raise Misspelt("bad-arguments", str(error)) from None
    return text.encode()


def outcome(text: str) -> str:
    """Read what must come out. Raises `Misspelt`."""
    if text in _OUTCOMES:
        return text
    if not text:
        raise Misspelt("empty-field", "no expectation, expected `allow`, `deny` or a reason")
    raise Misspelt("unknown-expectation", f"unknown expectation {quote(text)}, {names.expected(text, _OUTCOMES)}")
