"""Writes a row as the model of a policy has its rows written."""

from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy.csvrows import read
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import POLICY, parse_policy
from authz_sidecar.policy.shape import OWN, How, Part, Shape
from authz_sidecar.policy.shaped import parse_shaped
from authz_sidecar.rules import ANY, Pattern, Rule

_QUOTED: Final = frozenset(',"#\t')

Call = tuple[str, str, str, str]
"""Subject, server, method and tool, each a whole name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How the rows of a policy are written."""

    shape: Shape = OWN
    plain: bool = False
    """Whether subjects have no prefix."""

    def row(self, call: Call) -> str:
        """Write an allow row for whole names, never a pattern; what the model does not look at is left out."""
        subject, server, method, tool = call
        said = {Part.SERVER: server, Part.METHOD: method, Part.TOOL: tool, Part.EFFECT: "allow"}
        said[Part.SUBJECT] = subject.partition(":")[2] if self.plain else subject
        escaped = self.shape.own and not self.plain
        fields = [
            str(Pattern(said[column.part])) if escaped or column.how is How.MATCH else said[column.part]
            for column in self.shape.columns
        ]
        return ", ".join(("p", *map(_quoted, fields)))

    def sound(self, row: str, call: Call) -> bool:
        """Say whether the loader takes the row for these very names: some cannot be written."""
        found = Findings()
        data = row.encode(errors="surrogatepass") + b"\n"
        rules: tuple[Rule, ...]
        if self.shape.own and not self.plain:
            rules, _ = parse_policy(data, {}, found)
        else:
            rules = parse_shaped(read(POLICY, data, found), self.shape, {}, found, plain=self.plain).rules
        if len(rules) != 1 or found.problems:
            return False
        written = rules[0].server, rules[0].method, rules[0].tool
        return all(field in (Pattern(name), ANY) for field, name in zip(written, call[1:], strict=True))


def _quoted(text: str) -> str:
    if not _QUOTED.isdisjoint(text) or text != text.strip() or not text.isprintable():
        return '"' + text.replace('"', '""') + '"'
    return text
