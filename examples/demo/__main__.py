"""`make demo`: real MCP clients call a real MCP server through the sidecar; `make run` keeps it up for you."""

import argparse
import asyncio
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from examples.demo import everything, processes
from examples.demo.callers import CALLS, Caller, Outcome, status_without_token, visit
from examples.demo.processes import DemoError, Playground

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)

# What policies/policy.csv says; the demo fails when the answers differ.
EXPECTED = {
    "vera (viewer)": {"lookup_inventory", "list_tickets"},
    "alice (support)": {"lookup_inventory", "list_tickets", "create_ticket"},
    "alice without scope": {"lookup_inventory", "list_tickets"},
    "adam (admin)": {"lookup_inventory", "list_tickets", "create_ticket", "delete_ticket"},
    "mallory": set[str](),
}
HIDDEN_UNTIL_STEP_UP = {"alice without scope": {"create_ticket"}}


def main() -> int:
    """Run the demo, or keep it running."""
    options = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    options.add_argument("--keep", action="store_true", help="keep running, with the policies of this repository")
    options.add_argument("--port", type=int, default=8000, help="the MCP port with --keep (default 8000)")
    chosen = options.parse_args()
    try:
        return keep(chosen.port, processes.ROOT / "var" / "run") if chosen.keep else asyncio.run(demo())
    except DemoError as error:
        console.print(f"[bold red]the demo failed:[/] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        return 130


async def demo() -> int:
    """Tell the story once; 0 when every answer was as the policy says."""
    ground = processes.prepare(processes.ROOT / "var" / "demo")
    with processes.sidecar(ground), processes.ops_assistant(ground):
        console.print("[bold]The sidecar and the ops assistant are running, two real processes.[/]\n")
        right = await _nobody(ground)
        right &= await _table(ground)
        right &= await _edit(ground)
        right &= _audit(ground)
    right &= await _gateway()
    console.print(
        "\n[bold green]Everything was answered as the policy says.[/] Try it yourself: [bold]make run[/]"
        if right
        else "\n[bold red]Some answers were not what the policy says.[/]"
    )
    return 0 if right else 1


async def _nobody(ground: Playground) -> bool:
    status, challenge = await status_without_token(ground.url)
    console.print(f"[bold]1[/]  Without a token: [red]{status}[/]  WWW-Authenticate: {escape(challenge)}\n")
    return status == 401 and challenge.startswith("Bearer")


def _people(ground: Playground) -> list[Caller]:
    return [
        Caller(name="vera (viewer)", token=processes.mint(ground, "vera")),
        Caller(name="alice (support)", token=processes.mint(ground, "alice", "tickets:write")),
        Caller(name="alice without scope", token=processes.mint(ground, "alice")),
        Caller(name="adam (admin)", token=processes.mint(ground, "adam", "tickets:write")),
        Caller(name="mallory", token=processes.mint(ground, "mallory")),
    ]


async def _table(ground: Playground) -> bool:
    grid = Table(title="[bold]2[/]  Each calls every tool with the official MCP client", title_justify="left")
    grid.add_column("caller", style="bold")
    for column in ("sees", *CALLS):
        grid.add_column(column)
    right = True
    for caller in _people(ground):
        listed, outcomes = await visit(ground.url, caller)
        allowed = {outcome.tool for outcome in outcomes if outcome.allowed}
        visible = EXPECTED[caller.name] | HIDDEN_UNTIL_STEP_UP.get(caller.name, set())
        right &= allowed == EXPECTED[caller.name] and set(listed) == visible
        reasons = _reasons(ground)
        grid.add_row(caller.name, f"{len(listed)} of {len(CALLS)}", *(_cell(outcome, reasons) for outcome in outcomes))
    console.print(grid)
    return right


def _cell(outcome: Outcome, reasons: dict[str, str]) -> str:
    if outcome.allowed:
        return "[green]allowed[/]"
    return f"[red]denied[/]\n[dim]{escape(reasons.get(outcome.decision_id, outcome.text))}[/]"


def _reasons(ground: Playground) -> dict[str, str]:
    """Look up why, in the decision log: the caller is told only that it is not permitted."""
    found = {}
    for event in _decisions(ground).values():
        rules = " ".join(f"{rule['source']}:{rule['line']}" for rule in event.get("rules", []) if "line" in rule)
        needs = "needs " + " ".join(event.get("required_scopes", []))
        words = needs if event["reason"] == "insufficient_scope" else rules
        found[event["decision_id"]] = f"{event['reason']}\n{words}".strip()
    return found


def _decisions(ground: Playground, *expected: str) -> dict[str, dict[str, Any]]:
    """Read the decision log, which is written in batches: wait a moment for what must be there."""
    until = time.monotonic() + 2
    while True:
        time.sleep(0.1)
        events = [json.loads(line) for line in ground.decisions.read_text().splitlines()]
        found = {event["decision_id"]: event for event in events if event["type"] == "decision"}
        if found.keys() >= set(expected) or time.monotonic() > until:
            return found


async def _edit(ground: Playground) -> bool:
    console.print("\n[bold]3[/]  Somebody edits [bold]policy.csv[/] while it runs, so that noor becomes support")
    noor = Caller(name="noor", token=processes.mint(ground, "noor", "tickets:write"))
    policy = ground.policies / "policy.csv"
    good = policy.read_text()
    right = True
    for words, row in (
        ("a typing mistake", "g, user:noor, rle:support"),
        ("too much given away", "p, role:viewer, ops-assistant, tools/call, delete_ticket, allow"),
    ):
        policy.write_text(f"{good}{row}\n")
        mistake = (await _until(ground, lambda found: found["stale"]))["problems"][0]
        place = ":".join(str(mistake[part]) for part in ("file", "line", "column") if mistake[part])
        console.print(f"   {words}: [yellow]{escape(place)}: {escape(mistake['message'])}[/]", soft_wrap=True)
        right &= not await _allowed(ground, noor)
        policy.write_text(good)
        await _until(ground, lambda found: not found["stale"])
    console.print("   each was refused, and the last good policy went on answering")
    policy.write_text(f"{good}g, user:noor, role:support\n")
    begun = time.monotonic()
    while not (allowed := await _allowed(ground, noor)) and time.monotonic() - begun < 10:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    console.print(
        f"   as it was meant: live after {time.monotonic() - begun:.1f} s, noor may call {', '.join(sorted(allowed))}"
    )
    return right and "create_ticket" in allowed


async def _until(ground: Playground, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        command = ("policy", "status", "--json", "--config", str(ground.config))
        status: dict[str, Any] = json.loads(await asyncio.to_thread(processes.run, *command))
        if reached(status):
            return status
        await asyncio.sleep(0.1)
    raise DemoError("the edit did not arrive within 10 s; see " + str(ground.directory / "sidecar.log"))


async def _allowed(ground: Playground, caller: Caller) -> set[str]:
    return {outcome.tool for outcome in (await visit(ground.url, caller))[1] if outcome.allowed}


def _audit(ground: Playground) -> bool:
    time.sleep(0.2)  # the audit log is written in batches, too
    requests = [json.loads(line) for line in ground.requests.read_text().splitlines()]
    denied = [event for event in requests if event["outcome"] == "denied"][-1]
    decision = _decisions(ground, denied["decision_id"]).get(denied["decision_id"])
    console.print(f"\n[bold]4[/]  {len(requests)} requests in the audit log. The last denied one, and its decision:")
    for event in (denied, decision):
        console.print(f"   [dim]{escape(json.dumps(event))}[/]", soft_wrap=True)
    return decision is not None


async def _gateway() -> bool:
    """Show the gateway in front of a server in another language, where that can run."""
    title = "The gateway in front of server-everything (JavaScript, unchanged)"
    if absent := everything.missing():
        console.print(f"\n[bold]5[/]  {title}: [yellow]left out[/], {escape(absent)}")
        return True
    console.print()
    grid = Table(title=f"[bold]5[/]  {title}", title_justify="left")
    for column in ("caller", "sees", *everything.CALLS):
        grid.add_column(column)
    try:
        visits = await everything.visits(processes.ROOT / "var" / "demo-gateway")
    except everything.NotInstalled as error:
        console.print(f"\n[bold]5[/]  {title}: [yellow]left out[/], {escape(str(error))}")
        return True
    right = True
    for name, (listed, outcomes) in visits.items():
        allowed = {outcome.tool for outcome in outcomes if outcome.allowed}
        right &= allowed == everything.EXPECTED[name] and allowed <= set(listed) and "get-env" not in listed
        cells = (
            "[green]allowed[/]" if one.allowed else f"[red]denied[/] [dim]{escape(one.text)}[/]" for one in outcomes
        )
        grid.add_row(name, str(len(listed)), *cells)
    console.print(grid)
    return right


def keep(port: int, directory: Path) -> int:
    """Keep the processes up until Ctrl-C and print what to try."""
    ground = processes.prepare(directory, policies=processes.ROOT / "policies", mcp_port=port)
    with processes.sidecar(ground), processes.ops_assistant(ground):
        tokens = {"vera": (), "alice": ("tickets:write",), "adam": ("tickets:write",)}
        for name, scopes in tokens.items():
            path = ground.directory / f"{name}.token"
            path.touch(mode=0o600)
            path.write_text(processes.mint(ground, name, *scopes))
        console.print(_instructions(ground), highlight=False, soft_wrap=True)
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: sys.exit(0))
        signal.pause()
    return 0


def _instructions(ground: Playground) -> str:
    here = Path.cwd()
    home = ground.directory.relative_to(here) if ground.directory.is_relative_to(here) else ground.directory
    binary = Path(sys.executable).with_name("authz-sidecar")
    tool = shlex.quote(str(binary.relative_to(here) if binary.is_relative_to(here) else binary))
    meta = '{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
    call = f"""mcp() {{ curl -si {ground.url} -H "Authorization: Bearer $(cat {home}/$1.token)" \\
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
    -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H "Mcp-Name: $2" \\
    -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"'"$2"'","arguments":'"$3"',
    "_meta":{meta}}}}}'; echo; }}"""
    return f"""[bold green]Running[/] until Ctrl-C: the ops assistant at [bold]{ground.url}[/], the sidecar behind it.

[bold]Call it with curl[/] as vera, alice or adam; the first line once, then
  {escape(call)}
  mcp alice lookup_inventory '{{"query":"laptop"}}'
  mcp alice delete_ticket '{{"ticket_id":1}}'

[bold]Ask the sidecar directly[/]
  {tool} check tools/call delete_ticket --token-file {home}/alice.token --config {home}/authz.toml

[bold]Change the answer[/]: edit [bold]policies/policy.csv[/], save, call again; then
  {tool} policy status --config {home}/authz.toml

[bold]In the MCP Inspector[/] (needs Node.js)
  npx @modelcontextprotocol/inspector --cli {ground.url} --transport http --method tools/list \\
    --header "Authorization: Bearer $(cat {home}/alice.token)"

[bold]Who did what[/]
  tail -f {home}/audit/requests.jsonl {home}/audit/decisions.jsonl
"""


if __name__ == "__main__":
    sys.exit(main())
