"""Starts the servers that the peers of `bench.peers` ask: Cerbos, and Eunomia."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.demo.processes import free_port
from tests.matrix import environments
from tests.matrix.standing import serving

HERE = Path(__file__).parent
_CERBOS = """\
server:
  httpListenAddr: "127.0.0.1:{http}"
  grpcListenAddr: "127.0.0.1:{grpc}"
storage:
  driver: disk
  disk:
    directory: "{policies}"
    watchForChanges: false
telemetry:
  disabled: true
"""
_CERBOS_LOG = """\
audit:
  enabled: true
  accessLogsEnabled: false
  decisionLogsEnabled: true
  backend: file
  file:
    path: "{path}"
"""
_CERBOS_POLICY = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: mcp_server
  rules:
    - actions: ["tools/call::echo", "tools/list", "tools/list::echo"]
      effect: EFFECT_ALLOW
      roles: ["user"]
"""
EUNOMIA_POLICY = {
    "version": "1.0",
    "name": "peers",
    "default_effect": "deny",
    "rules": [
        {
            "name": "echo",
            "effect": "allow",
            "principal_conditions": [{"path": "attributes.user_id", "operator": "equals", "value": "alice"}],
            "resource_conditions": [{"path": "attributes.name", "operator": "equals", "value": "echo"}],
            "actions": ["list", "execute"],
        }
    ],
}


@contextmanager
def cerbos(directory: Path, *, log: bool = False) -> Iterator[tuple[str, int]]:
    """Run a Cerbos that lets the role `user` echo; gives where it answers, and its process.

    It logs its decisions when told to: it does not by default, and our sidecar always does.
    """
    modules = environments.node(HERE / "cerbos")
    home = directory / f"cerbos{'-log' * log}"
    policies = home / "policies"
    policies.mkdir(parents=True)
    (policies / "mcp.yaml").write_text(_CERBOS_POLICY)
    http, grpc = free_port(), free_port()
    config = home / "cerbos.yaml"
    audit = _CERBOS_LOG.format(path=home / "decisions.jsonl") if log else ""
    config.write_text(_CERBOS.format(http=http, grpc=grpc, policies=policies) + audit)
    binary = modules / "@cerbos" / "cerbos-linux-x64" / "cerbos-linux-x64"
    command = [str(binary), "server", "--config", str(config), "--log-level", "warn"]
    with serving(command, home / "cerbos.log", grpc) as process:
        yield f"127.0.0.1:{grpc}", process


@contextmanager
def eunomia(directory: Path) -> Iterator[tuple[str, Path, int]]:
    """Run a Eunomia that lets alice echo; gives where it answers, the policy's file, and its process."""
    home = directory / "eunomia"
    (home / ".db").mkdir(parents=True)
    policy = home / "policy.json"
    policy.write_text(json.dumps(EUNOMIA_POLICY))
    python, port = environments.python("eunomia", product=False), free_port()
    command = [str(python.with_name("eunomia")), "server", "--port", str(port)]
    with serving(command, directory / "eunomia.log", port, directory=home) as process:
        endpoint = f"http://127.0.0.1:{port}"
        push = [
            "import sys; from eunomia_mcp.cli.utils import push_policy_config as push; from eunomia_sdk import",
            "EunomiaClient; push(sys.argv[1], False, EunomiaClient(endpoint=sys.argv[2]))",
        ]
        command = [str(python), "-c", " ".join(push), str(policy), endpoint]
        subprocess.run(command, check=True, timeout=60, cwd=home, capture_output=True)
        yield endpoint, policy, process


def clean(directory: Path) -> Path:
    """Give an empty directory."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
