"""Cedar policies compiled, asked, and refused."""

from pathlib import Path

from authz_sidecar.engines.cedar import CedarEngine, CedarPolicy
from authz_sidecar.rules import Rules

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "cedar_policy"
READ = 'permit (principal in Role::"a", action == Action::"tools/call", resource == Tool::"ops/read");'


def compiled(*texts: str, memberships: Rules | None = None, schema: str = "") -> CedarPolicy:
    sources = {f"engine.d/{number}.cedar": text.encode() for number, text in enumerate(texts, 1)}
    if schema:
        sources["engine.d/s.cedarschema"] = schema.encode()
    held = memberships or Rules()
    return CedarEngine().compile(Rules(sources=sources, memberships=held.memberships, tool_groups=held.tool_groups))
