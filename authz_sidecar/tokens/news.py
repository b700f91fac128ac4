"""What is told about the keys of an issuer, to logs, metrics and status."""

from collections.abc import Callable
from dataclasses import dataclass

from authz_sidecar.tokens.pages import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNews:
    """One look at the keys of an issuer and what came of it."""

    issuer: str
    """The alias."""
    outcome: Outcome
    detail: str = ""
    """What went wrong; empty when nothing did."""
    added: tuple[str, ...] = ()
    """The `kid`s of new keys; `-` for a key without."""
    removed: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """A sentence for each published key that is not used."""
    keys: int = 0
    """How many verify now."""


Tell = Callable[[KeyNews], None]


def nobody(_: KeyNews) -> None:
    """Tell nobody."""
