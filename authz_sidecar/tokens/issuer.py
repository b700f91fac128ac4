"""An issuer whose tokens are accepted, and what the operator says about them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens.algorithms import ALGORITHMS, same
from authz_sidecar.tokens.claims import steps
from authz_sidecar.tokens.keyset import Keys
from authz_sidecar.tokens.selves import OWN

ACCESS_TOKENS: Final = frozenset({"at+jwt", "application/at+jwt", "jwt", ""})
"""Values of `typ` that an access token may have: RFC 9068 section 2.1, and what older providers write."""

LONGEST_LEEWAY: Final = 300.0
# No slash: `user:a/b/c` must have one reading.
_ALIAS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def media_type(typ: str) -> str:
    """Spell a `typ` in one way: lower case, and without `application/` (RFC 7515 section 4.1.9)."""
    return typ.lower().removeprefix("application/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One issuer. Raises `ConfigError` for what could never verify, or could be misread."""

    alias: str
    """Its short name, in the policy when there are several issuers."""
    issuer: str
    """`iss`, compared byte by byte."""
    algorithms: frozenset[str]
    keys: Keys
    user_claim: str = "sub"
    roles_claim: str | tuple[str, ...] = ""
    """The claim that becomes roles, or several that add up. Empty: no claim does."""
    groups_claim: str | tuple[str, ...] = ""
    family_claim: str = ""
    """What names the grant that a token came from, for example `sid`; empty: tokens have no family."""
    qualify: bool = False
    """Names become `user:ALIAS/NAME`; needed as soon as there is a second issuer."""
    leeway: float = 30.0
    """Seconds that clocks may differ."""
    types: frozenset[str] = ACCESS_TOKENS
    """Accepted values of `typ`, in any case; `id_token` here accepts ID tokens."""
    required_claims: frozenset[str] = frozenset()
    required_values: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Claims that must have one of these values, for example `hd` or `tid`."""
    optional_claims: frozenset[str] = frozenset()
    """Mapped claims that the provider leaves out when there is nothing to say: absent, they mean no names."""
    client_tokens: str = "subject"
    """How a token says that a client got it for itself, one of `selves.OWN`."""
    condition_claims: frozenset[str] = frozenset()
    """Claims that conditions may look at."""
    development: bool = False
    opaque: bool = False
    """Its tokens may be opaque: they are asked about, and no algorithm is needed."""

    def __post_init__(self) -> None:
        """Refuse what could never verify, or could be misread."""
        if not _ALIAS.fullmatch(self.alias):
            raise ConfigError(f"the issuer alias `{self.alias}` must be letters, digits, `.`, `_` or `-`")
        if not self.issuer:
            raise ConfigError(f"the issuer `{self.alias}` needs its exact `issuer`")
        strangers = sorted(self.algorithms - ALGORITHMS.keys())
        if strangers or not (self.algorithms or self.opaque):
            what = f"has the unknown algorithm `{strangers[0]}`" if strangers else "has no algorithms"
            raise ConfigError(f"the issuer `{self.alias}` {what}; expected some of {', '.join(sorted(ALGORITHMS))}")
        if not self.user_claim:
            raise ConfigError(f"the issuer `{self.alias}` needs a `user_claim`, for example `sub`")
        if self.client_tokens not in OWN:
            raise ConfigError(f"the issuer `{self.alias}` has the unknown `client_tokens` `{self.client_tokens}`")
        for path in self._paths():
            try:
                steps(path)
            except ValueError as error:
                raise ConfigError(f"the issuer `{self.alias}`: the claim `{path}` {error}") from None
        if not 0 <= self.leeway <= LONGEST_LEEWAY:  # also refuses NaN, which compares as false
            raise ConfigError(f"the leeway of the issuer `{self.alias}` must be 0 to {LONGEST_LEEWAY:.0f} seconds")
        object.__setattr__(self, "algorithms", same(self.algorithms))
        object.__setattr__(self, "types", frozenset(map(media_type, self.types)))

    def _paths(self) -> frozenset[str]:
        family = {self.family_claim} if self.family_claim else set()
        listed = self.required_claims | self.condition_claims | self.optional_claims
        return listed | family | {self.user_claim, *self.role_paths, *self.group_paths, *self.required_values}

    @property
    def role_paths(self) -> tuple[str, ...]:
        """Where the roles are."""
        return _several(self.roles_claim)

    @property
    def group_paths(self) -> tuple[str, ...]:
        """Where the groups are."""
        return _several(self.groups_claim)


def _several(paths: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(paths, str):
        return (paths,) if paths else ()
    return paths
