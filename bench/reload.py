"""What a reload costs those who are being served: gaps of the event loop, time and memory, at 100,000 rules.

    python -m bench.reload [--quick]

A ticker asks the event loop to wake it every millisecond and notes how long it took, while the loop is idle, and while
the policy store reads, checks, compiles and swaps an edited policy of 100,000 rows, over and over, and lets the old one
go. Idle and reloading rounds alternate, so that noise of the machine falls on both. Beside it, in processes of their
own: how long pycasbin takes to load the same rows, and the memory of both.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from authz_sidecar.engines.casbin import CasbinEngine
from authz_sidecar.model import Server
from authz_sidecar.policy.outcomes import Applied
from authz_sidecar.policy.store import PolicyStore
from authz_sidecar.rules import ScopeHierarchy
from bench.bed import make
from bench.policies import spelled
from bench.rivals import RAW_MODEL

MODEL = (Path(__file__).parents[1] / "policies" / "model.conf").read_bytes()


def write(directory: Path, size: int) -> None:
    """Write the policy as people keep it."""
    bed = make(size, calls=0)
    rows = [
        f"p, {r.subject}, {r.server}, {r.method}, {spelled(str(r.method), str(r.tool))}, {r.effect}"
        for r in bed.rules.rules
    ]
    rows += [f"g, {row.member}, {row.role}" for row in bed.rules.memberships]
    directory.mkdir()
    (directory / "policy.csv").write_text("\n".join(rows) + "\n")
    (directory / "model.conf").write_bytes(MODEL)
    (directory.parent / "raw.conf").write_text(RAW_MODEL)


def store(directory: Path) -> PolicyStore:
    """Make the store that the sidecar uses."""
    names = [f"server-{number}" for number in range(20)]
    return PolicyStore(
        directory=directory,
        state_dir=directory.parent / "state",
        engine=CasbinEngine(),
        servers={name: Server(name=name, audience=f"https://{name}.example") for name in names},
        hierarchy=ScopeHierarchy(),
        clock=time.time,
        tell=lambda _outcome: None,
    )


async def tick(gaps: list[float], stop: asyncio.Event) -> None:
    """Note how late every millisecond is, in ms."""
    while not stop.is_set():
        begin = time.perf_counter()
        await asyncio.sleep(0.001)
        gaps.append((time.perf_counter() - begin) * 1e3)


async def idle(gaps: list[float], seconds: float) -> None:
    stop = asyncio.Event()
    ticker = asyncio.create_task(tick(gaps, stop))
    await asyncio.sleep(seconds)
    stop.set()
    await ticker


async def reload(live: PolicyStore, path: Path, gaps: list[float], number: int) -> float:
    """Edit one row, load, and wait until the old policy is gone."""
    text = await asyncio.to_thread(path.read_text)
    await asyncio.to_thread(path.write_text, f"# edit {number}\np, user:x{number}, *, *, *, deny\n{text}")
    stop = asyncio.Event()
    ticker = asyncio.create_task(tick(gaps, stop))
    begin = time.perf_counter()
    outcome = await live.load()
    took = time.perf_counter() - begin
    assert isinstance(outcome, Applied), outcome
    await asyncio.sleep(0.3)  # the old policy is let go behind the swap
    stop.set()
    await ticker
    return took


async def gaps(directory: Path, rounds: int) -> dict[str, object]:
    """Alternate idle and reloading rounds."""
    live = store(directory)
    begin = time.perf_counter()
    assert isinstance(await live.load(), Applied)
    first = time.perf_counter() - begin
    quiet: list[float] = []
    loud: list[float] = []
    times: list[float] = []
    for number in range(rounds):
        await idle(quiet, 3)
        times.append(await reload(live, directory / "policy.csv", loud, number))
    return {"first": first, "times": times, "quiet": quiet, "loud": loud, "peak": _peak()}


def ours(directory: Path) -> dict[str, object]:
    begin = time.process_time()
    live = store(directory)
    asyncio.run(live.load())
    return {"time": time.process_time() - begin, "peak": _peak(), "kept": _resident()}


def casbins(directory: Path) -> dict[str, object]:
    import casbin

    begin = time.process_time()
    enforcer = casbin.Enforcer(str(directory.parent / "raw.conf"), str(directory / "policy.csv"))
    took = time.process_time() - begin
    assert len(enforcer.get_policy()) > 1
    return {"time": took, "peak": _peak(), "kept": _resident()}


def nothing(_directory: Path) -> dict[str, object]:
    import casbin  # noqa: F401 - its memory is not that of the rows

    return {"time": 0.0, "peak": _peak(), "kept": _resident()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024**2


def apart(part: str, directory: Path, rounds: int = 0) -> dict[str, object]:
    """Run one part in a process of its own."""
    command = [sys.executable, "-m", "bench.reload", "--part", part, "--directory", str(directory)]
    done = subprocess.run([*command, "--rounds", str(rounds)], check=True, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def show(found: dict[str, object]) -> None:
    quiet, loud, times = found["quiet"], found["loud"], found["times"]
    assert isinstance(quiet, list)
    assert isinstance(loud, list)
    assert isinstance(times, list)
    print("\ngaps of a 1 ms ticker on the event loop, ms")
    print(f"{'':>12} {'n':>8} {'p50':>8} {'p99':>8} {'p99.9':>8} {'max':>8}")
    for name, values in (("idle", quiet), ("reloading", loud)):
        cells = " ".join(f"{quantile(values, part):>8.2f}" for part in (0.5, 0.99, 0.999, 1))
        print(f"{name:>12} {len(values):>8,} {cells}")
    print(f"p99.9 reloading / idle: {quantile(loud, 0.999) / quantile(quiet, 0.999):.2f}")
    print(f"first load {found['first']:.2f} s, reload {statistics.median(times):.2f} s (median of {len(times)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 rules, 2 rounds")
    parser.add_argument("--part", choices=["ours", "casbins", "nothing", "gaps"], help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "gaps":
        print(json.dumps(asyncio.run(gaps(options.directory, options.rounds))))
    elif options.part:
        print(json.dumps({"ours": ours, "casbins": casbins, "nothing": nothing}[options.part](options.directory)))
    else:
        measure(10_000 if options.quick else 100_000, 2 if options.quick else 6)


def measure(size: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "policies"
        write(directory, size)
        base = float(str(apart("nothing", directory)["kept"]))
        print(f"loading {size:,} rules from files: CPU, and what stays in memory beyond the imports (peak)")
        loads: dict[str, list[dict[str, object]]] = {"ours": [], "casbins": []}
        for _ in range(3):
            for name, found in loads.items():
                found.append(apart(name, directory))
        medians = {name: statistics.median(float(str(one["time"])) for one in found) for name, found in loads.items()}
        for name, title in (("ours", "authz-sidecar: parse, check, compile, keep"), ("casbins", "pycasbin")):
            kept, peak = (float(str(loads[name][-1][key])) - base for key in ("kept", "peak"))
            print(f"{title:>50} {medians[name]:>7.2f} s {kept:>7.0f} MB ({peak:.0f})")
        print(f"load, ours / pycasbin: {medians['ours'] / medians['casbins']:.2f}")
        show(apart("gaps", directory, rounds))


if __name__ == "__main__":
    main()
