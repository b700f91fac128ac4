"""Reading claims: each is of the right type and size, or the token is refused."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Actor, Reason

Claims = Mapping[str, object]

LONGEST_NAME: Final = 1024
MOST_AUDIENCES: Final = 64
MOST_ACTORS: Final = 8
_LATEST: Final = 253_402_300_799.0
"""The end of the year 9999, which is as far as the wire's timestamps reach."""

# C0, DEL, C1, line separators, and what turns the direction of text: a name must read in a log as what it is.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# A step of a path: plain, or in quotes when the name itself has dots (a Keycloak client may be called like a URL).
_STEP: Final = re.compile(r'"([^"]+)"|([^".]+)')
_CLIENT_CLAIMS: Final = ("client_id", "azp", "appid", "cid")
_SCOPE_CLAIMS: Final = ("scope", "scp", "scopes")


class _Absent:
    """Not there, which is not the same as null."""


ABSENT: Final = _Absent()


def malformed(detail: str) -> TokenError:
    """Make the error for a token that is not what its format says."""
    return TokenError(Reason.TOKEN_MALFORMED, detail)


def missing(detail: str) -> TokenError:
    """Make the error for a claim that must be there."""
    return TokenError(Reason.TOKEN_CLAIM_MISSING, detail)


def moment(claims: Claims, name: str) -> float | None:
    """Read a NumericDate (RFC 7519 section 2): seconds since the epoch, or None when absent."""
    value = claims.get(name, ABSENT)
    if value is ABSENT:
        return None
    # A bool is an int in Python, and `true` would be 1970.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"`{name}` is not a number")
    if not 0 <= value <= _LATEST:  # also refuses NaN, which compares as false
        raise malformed(f"`{name}` is not a date between 1970 and 9999")
    return float(value)


def name(value: object, what: str) -> str:
    """Check a value that becomes a name: 1 to 1,024 characters, none of them a control character."""
    if not isinstance(value, str):
        raise malformed(f"{what} is not a string")
    if not value or len(value) > LONGEST_NAME:
        raise malformed(f"{what} is empty or longer than {LONGEST_NAME} characters")
    if not value.isprintable() and _UNPRINTABLE.search(value):  # the first is quick, and enough for most
        raise malformed(f"{what} has a control character")
    return value


def required_name(claims: Claims, claim: str) -> str:
    """Read a name that must be there."""
    value = claims.get(claim, ABSENT)
    if value is ABSENT:
        raise missing(f"`{claim}` is absent")
    return name(value, f"`{claim}`")


def optional_name(claims: Claims, claim: str) -> str:
    """Read a name that may be absent: then it is empty."""
    value = claims.get(claim, ABSENT)
    return "" if value is ABSENT else name(value, f"`{claim}`")


def audiences(claims: Claims) -> tuple[str, ...]:
    """Read `aud`: a string or a list of strings (RFC 7519 section 4.1.3)."""
    value = claims.get("aud", ABSENT)
    if value is ABSENT:
        raise missing("`aud` is absent")
    values = value if isinstance(value, list) else [value]
    if len(values) > MOST_AUDIENCES:
        raise malformed(f"`aud` has more than {MOST_AUDIENCES} entries")
    return tuple(name(one, "an entry of `aud`") for one in values)


@lru_cache(maxsize=1024)  # paths come from the configuration alone
def steps(path: str) -> tuple[str, ...]:
    """Take a path apart: `realm_access.roles`, `resource_access."https://ops.example".roles`; raises `ValueError`."""
    found: list[str] = []
    at = 0
    while match := _STEP.match(path, at):
        found.append(match[1] or match[2])
        at = match.end()
        if at == len(path):
            return tuple(found)
        if path[at] != ".":
            break
        at += 1
    raise ValueError('is not a path; expected names with dots between them, such as `a.b` or `a."b.c"`')


def find(claims: Claims, path: str) -> object:
    """Look a claim up: one of exactly this name, else along the dots (`realm_access.roles`), else `ABSENT`."""
    if path in claims:
        return claims[path]
    found: object = claims
    for step in steps(path):
        if not (type(found) is dict or isinstance(found, Mapping)) or step not in found:  # the first is quick
            return ABSENT
        found = found[step]
    return found


def mapped(claims: Claims, path: str, *, optional: bool = False) -> object:
    """Look up a claim that the configuration names; absent or cut short by the provider is `TOKEN_CLAIM_MISSING`.

    An optional one may be absent, then it is `ABSENT`, but it is never cut short.

    A provider that leaves groups out (Entra: more than 200) says so in `_claim_names` (OpenID Connect Core section
    5.6.2) or `hasgroups`. A deny on a group that is not in the token would never match.
    """
    elsewhere = claims.get("_claim_names", ABSENT)
    top = path if path in claims else steps(path)[0]
    if elsewhere is not ABSENT and (not isinstance(elsewhere, Mapping) or path in elsewhere or top in elsewhere):
        raise missing(f"the provider cut the claim `{path}` short and keeps it elsewhere")
    if path == "groups" and claims.get("hasgroups", False) is not False:
        raise missing(f"the provider cut the claim `{path}` short (`hasgroups`)")
    value = find(claims, path)
    if value is ABSENT and optional:
        return ABSENT
    if value is ABSENT or value is None:
        raise missing(f"the claim `{path}` is absent")
    return value


def names(claims: Claims, path: str, *, optional: bool = False) -> frozenset[str]:
    """Read mapped roles or groups: a list of names, or one name."""
    value = mapped(claims, path, optional=optional)
    if value is ABSENT:
        return frozenset()
    values = value if isinstance(value, list) else [value]
    return frozenset(name(one, f"an entry of `{path}`") for one in values)


def scopes(claims: Claims) -> frozenset[str]:
    """Read the scopes of `scope`, `scp` and `scopes`: a string with spaces between them, or a list."""
    found: set[str] = set()
    for claim in _SCOPE_CLAIMS:
        value = claims.get(claim, ABSENT)
        if value is ABSENT:
            continue
        if isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable():
            found.update(value.split(" "))  # nothing in it can be wrong
            continue
        parts = value.split(" ") if isinstance(value, str) else value
        if not isinstance(parts, list):
            raise malformed(f"`{claim}` is neither a string nor a list")
        found.update(_scope(part, claim) for part in parts if part != "")
    found.discard("")
    return frozenset(found)


def _scope(value: object, claim: str) -> str:
    scope = name(value, f"an entry of `{claim}`")
    if " " in scope:
        raise malformed(f"an entry of `{claim}` has a space")
    return scope


def client_id(claims: Claims) -> str:
    """Read the OAuth client that the token was issued to; empty when the token does not say."""
    for claim in _CLIENT_CLAIMS:
        if claim in claims:
            return name(claims[claim], f"`{claim}`")
    return ""


def actors(claims: Claims, issuer: str) -> tuple[Actor, ...]:
    """Read who acts for the subject (RFC 8693 section 4.1): the current actor first, then those before; perhaps none.

    Only the first is anybody in the policy, so it must be of the token's own issuer; the others are for the record.
    """
    found: list[Actor] = []
    level: object = claims.get("act", ABSENT)
    while level is not ABSENT:
        if len(found) == MOST_ACTORS:
            raise malformed(f"`act` goes on beyond {MOST_ACTORS} actors")
        found.append(_actor(level, issuer))
        level = level.get("act", ABSENT) if isinstance(level, Mapping) else ABSENT
    # A `sub` means something only together with its issuer.
    if found and found[0].issuer != issuer:
        raise TokenError(Reason.TOKEN_ISSUER_UNKNOWN, "`act.iss` is not the issuer of the token")
    return tuple(found)


def _actor(act: object, issuer: str) -> Actor:
    if not isinstance(act, Mapping):
        raise malformed("`act` is not an object")
    if "sub" not in act:
        raise malformed("`act` does not say who acts: its `sub` is absent")
    return Actor(subject=name(act["sub"], "`act.sub`"), issuer=name(act.get("iss", issuer), "`act.iss`"))


def frozen(value: object) -> object:
    """Make a copy that nobody can change: a cached caller is shared by requests."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen(one) for key, one in value.items()})
    if isinstance(value, list):
        return tuple(frozen(one) for one in value)
    return value
