"""Runs every benchmark; each prints ratios to a control measured in the same run: `python -m bench [--quick]`"""

import runpy
import sys
from pathlib import Path

NAMES = (
    "check",
    "client",
    "mcp_call",
    "tokens",
    "revocation",
    "engines",
    "reload",
    "conditions",
    "audit",
    "gateway_streams",
)

for name in NAMES:
    if Path(__file__).with_name(f"{name}.py").exists():
        print(f"\n=== {name}", flush=True)
        sys.argv = [name, *sys.argv[1:]]
        runpy.run_module(f"bench.{name}", run_name="__main__")
