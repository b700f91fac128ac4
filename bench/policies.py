"""Writes a policy of any size as people would: `python -m bench.policies DIR [RULES]`.

It is the policy of `bench.engines`, fixed by a seed: 20 servers, 10 % of the rows begin a tool name (`tool_7*`), 5 %
deny; a caller has 5 names (a user and 4 roles); at most 8 rows speak to a question. Resources are spelled as URIs.
Beside it stand the configuration that names its servers, and an expectation for each of the generator's questions.
"""

import argparse
import asyncio
import shutil
from pathlib import Path

from authz_sidecar.engines.index import IndexEngine
from bench.engines import make

ROOT = Path(__file__).parents[1]
ISSUER = """\
[[issuers]]
alias = "bench"
issuer = "https://idp.example"
algorithms = ["RS256"]
jwks_file = "keys.json"
"""


def write(directory: Path, size: int = 10_000, *, seed: int = 7) -> Path:
    """Write `authz.toml` and `policies/`, and give the configuration's path."""
    bed = make(size, seed)
    policies = directory / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "policies" / "model.conf", policies)
    rows = [
        f"p, {r.subject}, {r.server}, {r.method}, {spelled(str(r.method), str(r.tool))}, {r.effect}"
        for r in bed.rules.rules
    ]
    rows += [f"g, {row.member}, {row.role}" for row in bed.rules.memberships]
    (policies / "policy.csv").write_text("\n".join(rows) + "\n")
    judge = IndexEngine().compile(bed.rules).judge
    tests = ["subjects, server, method, tool, scopes, args, expect"]
    for subjects, server, method, tool in bed.calls:
        answer = "allow" if asyncio.run(judge(subjects, server, method, tool)) else "deny"
        tests.append(f"{' '.join(sorted(subjects))}, {server}, {method}, {spelled(method, tool)}, , , {answer}")
    (policies / "expectations.csv").write_text("\n".join(tests) + "\n")
    servers = [f'[[servers]]\nname = "server-{n}"\naudience = "https://{n}.example"\n' for n in range(20)]
    config = directory / "authz.toml"
    config.write_text("\n".join([ISSUER, *servers]))
    return config


def spelled(method: str, tool: str) -> str:
    """Spell what a row is about as its method needs it: resources as URIs."""
    return f"db://{tool}" if method.startswith("resources/") else tool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("rules", type=int, nargs="?", default=10_000)
    asked = parser.parse_args()
    print(write(asked.directory, asked.rules))


if __name__ == "__main__":
    main()
