"""The shape of a policy: which fields its rows have and how each is compared, as its Casbin model says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Part(StrEnum):
    """What a field of a rule speaks about."""

    SUBJECT = "subject"
    SERVER = "server"
    METHOD = "method"
    TOOL = "tool"
    EFFECT = "effect"


class How(StrEnum):
    """How a field of a rule is compared."""

    HOLDS = "g"
    """The caller is it, or holds it as a role."""
    SAME = "=="
    MATCH = "match"
    """A literal, or a beginning with a trailing `*`, in this product's spelling."""
    KEY_MATCH = "keyMatch"
    """Casbin's: a literal, or a beginning with a trailing `*`."""
    GROUP = "g2"
    """The tool is it, or is in it as a group."""
    EFFECT = "eft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field of a `p` row."""

    name: str
    """As the model calls it."""
    part: Part
    how: How


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the rows of a policy are to be read."""

    columns: tuple[Column, ...]
    """The fields of a `p` row behind the `p`, in order. A part that is not among them is anything."""
    roles: int = 0
    """The fields of a `g` row behind the `g`: none, member and role, or member, role and server."""
    groups: bool = False
    """Whether there are `g2` rows."""
    foreign: str = ""
    """The model itself, when only Casbin can say what it means."""

    @property
    def own(self) -> bool:
        """Say whether this is the shape that `init` writes and the manual teaches."""
        return self == OWN


PARTS: Final = {
    "sub": Part.SUBJECT,
    "dom": Part.SERVER,
    "server": Part.SERVER,
    "act": Part.METHOD,
    "method": Part.METHOD,
    "obj": Part.TOOL,
    "tool": Part.TOOL,
    "eft": Part.EFFECT,
}
"""The words that a model may use: those of Casbin's examples, and ours."""

OWN: Final = Shape(
    columns=(
        Column(name="sub", part=Part.SUBJECT, how=How.HOLDS),
        Column(name="server", part=Part.SERVER, how=How.MATCH),
        Column(name="method", part=Part.METHOD, how=How.MATCH),
        Column(name="tool", part=Part.TOOL, how=How.MATCH),
        Column(name="eft", part=Part.EFFECT, how=How.EFFECT),
    ),
    roles=2,
)
