"""Runs every benchmark, each in a process of its own and against a control of the same run: `python -m bench [--quick]`

One that fails is said and does not keep the others from running.
"""

import subprocess
import sys

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
    "oauth",
)


def main() -> int:
    failed = []
    for name in NAMES:
        print(f"\n=== {name}", flush=True)
        # What one leaves behind (loggers that Casbin switched off, caches, a heap) is no part of the next.
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
