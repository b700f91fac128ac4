"""What `mcp-authz doctor` looks at: the files, the sidecar, and every server."""

from dataclasses import dataclass
from pathlib import Path

from mcp_adapter.gateway.config import Gateway, Server
from mcp_adapter.gateway.configfile import ConfigError, load
from mcp_adapter.gateway.ending import endings
from mcp_adapter.gateway.front import sidecar
from mcp_adapter.gateway.upstreams import Failed, Upstream
from mcp_adapter.pdp import Fault, Item, Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str = ""


async def checkup(path: Path) -> list[Finding]:
    """Look at everything that a configuration needs; it changes nothing and raises nothing."""
    try:
        config = load(path)
    except ConfigError as error:
        return [Finding(what="configuration", ok=False, detail=line) for line in str(error).split("\n")]
    base = path.parent.resolve()
    count = len(config.servers)
    found = [Finding(what="configuration", ok=True, detail=f"{count} server{'s' * (count > 1)}")]
    found += [Finding(what=one.what, ok=one.ok, detail=one.detail) for one in endings(config, base)]
    for server in config.servers:
        found.append(await _decided(config, server, base))
        found.append(await _reached(server, base, signed=config.identity.header))
    return found


async def _decided(config: Gateway, server: Server, base: Path) -> Finding:
    """Ask without a token: any answer will do, but one that does not know the server."""
    what = f"sidecar, about `{server.name}`"
    try:
        client = sidecar(config, base)
    except (ValueError, OSError) as error:
        return Finding(what=what, ok=False, detail=str(error))
    try:
        answer = await client.check("", Item(method="ping"), server=server.name, request_id="doctor")
    except Unanswered as error:
        asked = f"nobody answers at {config.sidecar.target}; is `authz-sidecar serve` running?"
        return Finding(what=what, ok=False, detail=asked if error.fault is Fault.UNAVAILABLE else str(error))
    finally:
        await client.close()
    unknown = any(decision.reason == "server_unknown" for decision in answer.decisions)
    return Finding(what=what, ok=not unknown, detail="it has no such server" if unknown else "answers")


async def _reached(server: Server, base: Path, *, signed: bool) -> Finding:
    what = f"server `{server.name}`"
    try:
        upstream = Upstream(server, base)
    except ValueError as error:
        return Finding(what=what, ok=False, detail=str(error))
    try:
        response = await upstream.send("GET", [(b"accept", b"application/json")], b"")
        await response.aclose()
    except Failed as failed:
        return Finding(what=what, ok=False, detail=f"{server.url}: {failed.trouble.detail}")
    finally:
        await upstream.close()
    said = f"answers {response.status_code} to a GET"
    if response.status_code == 403 and signed:  # this GET has nobody's name
        return Finding(what=what, ok=True, detail=f"{said}, as one does that takes only what the gateway signed")
    return Finding(what=what, ok=response.status_code not in (401, 403, 407), detail=said)
