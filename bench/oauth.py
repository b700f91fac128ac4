"""The authorization server under 50 logins at once: authorize and token latency, logins and tokens per second.

A login is what a browser and its client do: the page, name and password, the consent page, the code, the tokens.
Controls in the same run: a bare Starlette route in a process of its own, and the argon2 hash that every login costs.
`python -m bench.oauth [--quick]`
"""

import argparse
import asyncio
import html
import os
import re
import shutil
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from authz_sidecar.oauth.people.passwords import Passwords
from authz_sidecar.oauth.pkce import generate_pkce_pair
from examples.demo import processes

AT_ONCE = 50
PEOPLE = 10
PASSWORD = "correct horse battery staple"  # noqa: S105 - of accounts that live as long as the run
SECRET = "a-secret-of-this-benchmark-alone-0123456789"  # noqa: S105 - the same
CALLBACK = "http://127.0.0.1:9/callback"
AUDIENCE = "http://127.0.0.1:8000/mcp"
HERE = processes.ROOT / "var" / "bench-oauth"
_CONFIG = f"""\
state_dir = "state"
[http]
bind = ""
[oauth]
issuer = "http://127.0.0.1:{{port}}"
bind = "127.0.0.1:{{port}}"
development = true
seed = "seed.toml"
client_address_header = "x-forwarded-for"
[oauth.scopes]
"tickets:read" = {{{{ en = "See tickets" }}}}
[[issuers]]
alias = "own"
issuer = "http://127.0.0.1:{{port}}"
jwks_uri = "http://127.0.0.1:{{port}}/jwks"
algorithms = ["ES256"]
roles_claim = "roles"
development = true
[[servers]]
name = "ops"
audience = "{AUDIENCE}"
[policy]
path = "policies"
"""
_CLIENTS = f"""\
[[clients]]
id = "app"
redirect_uris = ["{CALLBACK}"]
[[clients]]
id = "robot"
secret = "{SECRET}"
grant_types = ["client_credentials"]
"""
_USER = """\
[[users]]
name = "p{number}"
password = "{password}"
roles = ["support"]
"""
_FIELD = re.compile(r'name="(csrf|query)" value="([^"]*)"')
_ONWARD = re.compile(r'id="onward"[^>]*href="([^"]*)"')
Times = dict[str, list[float]]


class Failed(Exception):
    """An answer was not what a login needs."""


@contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Run the real program; gives its address and process id."""
    shutil.rmtree(HERE, ignore_errors=True)
    (HERE / "policies").mkdir(parents=True)
    port = processes.free_port()
    (HERE / "authz.toml").write_text(_CONFIG.format(port=port))
    users = "".join(_USER.format(number=number, password=PASSWORD) for number in range(PEOPLE))
    (HERE / "seed.toml").write_text(_CLIENTS + users)
    command = [sys.executable, "-m", "authz_sidecar", "oauth", "serve", "--config", str(HERE / "authz.toml")]
    with running(command, f"http://127.0.0.1:{port}", "/jwks") as found:
        yield found


@contextmanager
def control() -> Iterator[tuple[str, int]]:
    """Run a bare Starlette route that reads a form and answers JSON."""
    port = processes.free_port()
    with running([sys.executable, "-m", "bench.bare_route", str(port)], f"http://127.0.0.1:{port}", "/ready") as found:
        yield found


@contextmanager
def running(command: list[str], url: str, ready: str) -> Iterator[tuple[str, int]]:
    log = HERE / f"{command[2]}.log"
    with processes.process(command, log) as process:
        processes.wait(process, url + ready, log)
        yield url, process.pid


async def together(one: Callable[[int, Times], Awaitable[None]], number: int) -> tuple[Times, float]:
    """Do it so many times, `AT_ONCE` at once; gives the seconds of each step and of all."""
    times: Times = {}
    left = iter(range(number))

    async def worker() -> None:
        for turn in left:
            await one(turn, times)

    begun = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return times, time.perf_counter() - begun


async def timed(times: Times, step: str, answer: Awaitable[httpx2.Response], status: int) -> httpx2.Response:
    begun = time.perf_counter()
    found = await answer
    times.setdefault(step, []).append(time.perf_counter() - begun)
    if found.status_code != status:
        raise Failed(f"{step}: {found.status_code} {found.text[:200]}")
    return found


def login(url: str, transport: httpx2.AsyncBaseTransport) -> Callable[[int, Times], Awaitable[None]]:
    """A person with a browser of their own, and the client's two requests; connections are shared and stay open."""

    async def one(turn: int, times: Times) -> None:
        verifier, challenge = generate_pkce_pair()
        asked = {
            "response_type": "code",
            "client_id": "app",
            "redirect_uri": CALLBACK,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": AUDIENCE,
            "scope": "tickets:read",
        }
        # Each person comes from an address of their own, as through a proxy; guessing is slowed down per address.
        headers = {"x-forwarded-for": f"10.0.{turn // 250 % 250}.{turn % 250}"}
        http = httpx2.AsyncClient(transport=transport, headers=headers, timeout=300)
        who = {"name": f"p{turn % PEOPLE}", "password": PASSWORD}
        page = await timed(times, "GET /authorize", http.get(f"{url}/authorize?{urlencode(asked)}"), 200)
        page = await timed(times, "POST /login", http.post(f"{url}/login", data=hidden(page) | who), 303)
        page = await timed(times, "consent page", http.get(f"{url}{page.headers['location']}"), 200)
        said = hidden(page) | {"decision": "allow"}
        page = await timed(times, "POST /consent", http.post(f"{url}/consent", data=said), 200)
        onward = _ONWARD.search(page.text)
        if onward is None:
            raise Failed("no page that leads on")
        code = parse_qs(urlsplit(html.unescape(onward[1])).query)["code"][0]
        form = {"grant_type": "authorization_code", "client_id": "app", "code": code, "code_verifier": verifier}
        await timed(times, "POST /token (code)", http.post(f"{url}/token", data=form | {"redirect_uri": CALLBACK}), 200)

    return one


def hidden(page: httpx2.Response) -> dict[str, str]:
    """The first form's hidden fields."""
    found: dict[str, str] = {}
    for name, value in _FIELD.findall(page.text):
        found.setdefault(name, html.unescape(value))
    return found


def posting(url: str, step: str, form: Mapping[str, str], http: httpx2.AsyncClient):
    async def one(_: int, times: Times) -> None:
        await timed(times, step, http.post(url, data=dict(form)), 200)

    return one


def told(times: Times, seconds: float, each: float, done: int) -> None:
    for step, found in times.items():
        p99 = statistics.quantiles(found, n=100)[98]
        print(f"  {step:22} p50 {statistics.median(found) * 1e3:8.1f} ms   p99 {p99 * 1e3:8.1f} ms", flush=True)
    print(f"  {'':22} {done / seconds:.1f} a second, {each:.2f} ms CPU of the server each", flush=True)


async def part(title: str, pid: int, one: Callable[[int, Times], Awaitable[None]], number: int) -> float:
    """Measure and print one; gives how many were done in a second."""
    before = cpu_ms(pid)
    times, seconds = await together(one, number)
    print(title)
    told(times, seconds, (cpu_ms(pid) - before) / number, number)
    return number / seconds


def cpu_ms(pid: int) -> float:
    """CPU time of a process, with that of threads that have ended: each hash starts its own."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e3 / os.sysconf("SC_CLK_TCK")


def hashing(rounds: int) -> float:
    """Seconds of one hash, alone."""
    passwords, found = Passwords(), []
    for _ in range(rounds):
        begun = time.perf_counter()
        passwords.hash(PASSWORD)
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


async def measure(own: tuple[str, int], bare: tuple[str, int], *, rounds: int) -> None:
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    transport = httpx2.AsyncHTTPTransport(limits=limits)
    robot = {"grant_type": "client_credentials", "resource": AUDIENCE, "scope": "tickets:read"}
    async with httpx2.AsyncClient(transport=transport, timeout=300) as plain:
        clients = httpx2.AsyncClient(transport=transport, auth=("robot", SECRET), timeout=300)
        await together(login(own[0], transport), AT_ONCE)  # warm
        rates: dict[str, list[float]] = {"logins": [], "tokens": [], "bare": []}
        for number in range(rounds):
            print(f"\nround {number + 1} of {rounds}, {AT_ONCE} at once, load {os.getloadavg()[0]:.1f}")
            rates["logins"].append(await part("logins", own[1], login(own[0], transport), 2 * AT_ONCE))
            one = posting(f"{own[0]}/token", "POST /token (client)", robot, clients)
            rates["tokens"].append(await part("tokens of a client for itself", own[1], one, 10 * AT_ONCE))
            one = posting(f"{bare[0]}/token", "bare Starlette route", robot, plain)
            rates["bare"].append(await part("control", bare[1], one, 20 * AT_ONCE))
    found = {name: statistics.median(values) for name, values in rates.items()}
    cost = await asyncio.to_thread(hashing, 10)
    cores = len(os.sched_getaffinity(0))
    print(f"\na second (medians): logins {found['logins']:.1f}, tokens {found['tokens']:.0f}, bare {found['bare']:.0f}")
    print(f"one argon2 hash alone {cost * 1e3:.0f} ms; {cores} cores", flush=True)
    print(f"a token costs {found['bare'] / found['tokens']:.1f} bare requests", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    with server() as own, control() as bare:
        asyncio.run(measure(own, bare, rounds=1 if quick else 3))


if __name__ == "__main__":
    main()
