"""Reads matchers that only Casbin can evaluate, and refuses those that nobody should."""

import re
from collections.abc import Sequence
from typing import Final

from authz_sidecar.policy.findings import quote

FUNCTIONS: Final = frozenset(
    {"g", "g2", "keyMatch", "keyMatch2", "keyMatch3", "keyMatch4", "keyMatch5", "regexMatch", "globMatch", "ipMatch"}
)
"""Of Casbin's functions those that look at their arguments alone. `eval` would run the text of rows."""

# Casbin rewrites `&&`, `!`, `r.` and `p.` wherever they stand, so texts hold none of their characters.
_TOKEN: Final = re.compile(
    r"""\s+|(?P<field>[rp]\.\w+(?![\w.]))|(?P<call>\w+)(?=\s*\()|"[\w /:@*-]*"|'[\w /:@*-]*'|&&|\|\||[!=]=|[!(),]"""
)


_EQUALS: Final = r"r\.sub\s*==\s*p\.sub|p\.sub\s*==\s*r\.sub"
_HOLDS: Final = r"g\s*\(\s*r\.sub\s*,\s*p\.sub\s*"
_SUBJECT: Final = {
    0: re.compile(_EQUALS),
    2: re.compile(rf"{_EQUALS}|{_HOLDS}\)"),
    3: re.compile(rf"{_EQUALS}|{_HOLDS},\s*r\.\w+\s*\)"),
}
"""Where the caller may stand, by the places of a role."""


def unreadable(matcher: str, fields: Sequence[str], *, roles: int, groups: bool) -> str:
    """Say why Casbin must not be asked by this matcher; nothing when it may be.

    Every field of a row must be looked at, or rows would mean less than they say and so allow more.
    """
    seen: set[str] = set()
    at = 0
    while at < len(matcher):
        token = _TOKEN.match(matcher, at)
        if token is None:
            return f"{quote(matcher[at:])} is not understood"
        if token["call"] and token["call"] not in FUNCTIONS:
            return f"the function {quote(token['call'])} is not accepted"
        if token["call"] in ("g", "g2") and not (roles if token["call"] == "g" else groups):
            return f"{quote(token['call'])} is not defined"
        if token["field"]:
            seen.add(token["field"])
        at = token.end()
    if re.search(r"[rp]\.sub\b", _SUBJECT[roles].sub("", matcher)):
        holds = "`g(r.sub, p.sub, r.dom)`" if roles == 3 else "`g(r.sub, p.sub)`"
        return f"a caller has several names, so `r.sub` can only stand in `r.sub == p.sub` or {holds}"
    known = {f"{side}.{name}" for side in "rp" for name in fields} | {"p.eft"}
    if strange := sorted(seen - known):
        return f"{quote(strange[0])} is not defined"
    if missing := [name for name in fields if not {f"r.{name}", f"p.{name}"} <= seen]:
        return f"the matcher does not look at {quote('p.' + missing[0])}, so a row would mean more than it says"
    return ""
