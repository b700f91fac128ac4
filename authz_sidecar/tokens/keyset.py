"""Key records: which algorithms each key may verify, and which key of an issuer a token means."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from authz_sidecar.errors import ConfigError, TokenError
from authz_sidecar.model import Reason
from authz_sidecar.tokens.signatures import Check, Material, check, never


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key that verifies. The record decides what it is for, never the token (CVE-2022-29217, CVE-2026-48526)."""

    kid: str | None
    kty: str
    algorithms: frozenset[str]
    """What this key may verify."""
    material: Material = field(repr=False)
    """The public key, or the secret of `kty: oct`."""
    development: bool = False
    _checks: Mapping[str, Check] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the check of each algorithm once."""
        checks = {algorithm: check(self.material, algorithm) for algorithm in self.algorithms}
        object.__setattr__(self, "_checks", checks)

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Say whether this key made the signature with this algorithm; False on any doubt."""
        return self._checks.get(algorithm, never)(signed, signature)


class Keys(Protocol):
    """The keys of one issuer, which may change while we run."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """Give the keys that were read last."""
        ...

    @property
    def epoch(self) -> int:
        """Give a number that grows whenever a key is taken away: what it verified is forgotten."""
        ...

    @property
    def good_for(self) -> float:
        """Give the seconds for which what these keys verified may be remembered without asking here again."""
        ...

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Give the key that a token means, or raise `TokenError`."""
        ...

    async def seek(self) -> bool:
        """Look for keys that are not known yet, within bounds, and say whether asking again makes sense."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The keys of one issuer, as they were read once; a `Keys`.

    Raises `ConfigError` when two share a `kid`, or a secret has company.
    """

    keys: tuple[Key, ...] = ()
    ignored: tuple[str, ...] = ()
    """A sentence for each key of the source that is not for verifying tokens."""
    _by_kid: Mapping[str, Key] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse sets in which a token could mean two keys."""
        named = {key.kid: key for key in self.keys if key.kid is not None}
        counts = Counter(key.kid for key in self.keys if key.kid is not None)
        twice = sorted(kid for kid, count in counts.items() if count > 1)
        if twice:
            raise ConfigError(f"the kid `{twice[0]}` stands for {counts[twice[0]]} keys; give each key its own")
        # A secret beside public keys is what algorithm confusion needs.
        if len(self.keys) > 1 and any(key.kty == "oct" for key in self.keys):
            raise ConfigError("a shared secret (kty `oct`) must be the issuer's only key; remove it or the others")
        object.__setattr__(self, "_by_kid", named)

    @property
    def epoch(self) -> int:
        """Stay 0: no key is ever taken away."""
        return 0

    @property
    def good_for(self) -> float:
        """Stay good: nobody will ever say otherwise."""
        return inf

    async def seek(self) -> bool:
        """Say no: these keys never change."""
        return False

    @property
    def development(self) -> bool:
        """True when a key was made for development."""
        return any(key.development for key in self.keys)

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Give the key that a token means, or raise `TokenError`.

        A token without `kid` is accepted only when exactly one key fits its algorithm. A key without `kid` (a PEM
        file) answers for every `kid` when it is the only key, because its file cannot say which one it has.
        """
        if kid is None:
            return self._only_key_for(algorithm)
        key = self._by_kid.get(kid)
        if key is None and len(self.keys) == 1 and self.keys[0].kid is None:
            key = self.keys[0]
        if key is None:
            raise TokenError(Reason.TOKEN_KEY_UNKNOWN, "the issuer has no key with this `kid`")
        if algorithm not in key.algorithms:
            raise TokenError(Reason.TOKEN_ALGORITHM_NOT_ALLOWED, "the issuer's key is not for this `alg`")
        return key

    def _only_key_for(self, algorithm: str) -> Key:
        fitting = [key for key in self.keys if algorithm in key.algorithms]
        if len(fitting) == 1:
            return fitting[0]
        if fitting or not self.keys:
            raise TokenError(Reason.TOKEN_KEY_UNKNOWN, f"there is no `kid`, and {len(fitting)} keys fit")
        raise TokenError(Reason.TOKEN_ALGORITHM_NOT_ALLOWED, "no key of the issuer is for this `alg`")
