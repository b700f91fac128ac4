"""Runs a real OpenID provider from npm on loopback, and speaks to it."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

HERE: Final = Path(__file__).parent
WAIT: Final = 10.0
_BUILD: Final = 240.0  # seconds; it fetches packages
_SECRET: Final = "a-secret-of-the-test-alone"


def install(target: Path) -> Path:
    """Install the provider below `target`; give its program."""
    need("node", "npm")
    for name in ("package.json", "package-lock.json", ".npmrc", "oidc_provider.mjs"):
        shutil.copy(HERE / name, target)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=_BUILD, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target / "oidc_provider.mjs"


def need(*programs: str) -> None:
    """Skip where a program is absent, but never in CI: there, a gate that does not run is a failure."""
    for program in programs:
        if shutil.which(program) is None:
            if os.environ.get("CI"):
                pytest.fail(f"`{program}` is not installed, and CI is set")
            pytest.skip(f"`{program}` is not installed")


@dataclass(frozen=True, kw_only=True)
class RealProvider:
    """A running provider."""

    issuer: str
    audience: str
    http: httpx.AsyncClient

    async def token(self, scope: str = "tickets:read") -> str:
        """Get an access token by client credentials, for the audience as resource (RFC 8707)."""
        form = {"grant_type": "client_credentials", "resource": self.audience, "scope": scope}
        answer = await self.http.post(f"{self.issuer}/token", data=form, auth=("nightly", _SECRET))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def keys(self, *, sign: int, publish: list[int]) -> None:
        """Change its keys: which number signs, and which are published."""
        done = await self.http.post(f"{self.issuer}/-/keys", json={"sign": sign, "publish": publish})
        assert done.status_code == 204

    async def metadata(self) -> dict[str, Any]:
        answer = await self.http.get(f"{self.issuer}/.well-known/openid-configuration")
        return dict(answer.json())


@asynccontextmanager
async def running(
    program: Path, *, audience: str, algorithm: str, lifetime: int = 120, fresh: int | None = None
) -> AsyncIterator[RealProvider]:
    """Run it until the block ends; it ends with its standard input, too.

    Tokens live `lifetime` seconds; with `fresh`, it says for how many seconds its key set may be kept.
    """
    process = await asyncio.create_subprocess_exec(
        *("node", str(program), audience, algorithm, str(lifetime), "" if fresh is None else str(fresh)),
        cwd=program.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT):
            issuer = json.loads(await process.stdout.readline())["issuer"]
        async with httpx.AsyncClient(trust_env=False, timeout=WAIT) as http:
            yield RealProvider(issuer=issuer, audience=audience, http=http)
    finally:
        process.stdin.close()
        async with asyncio.timeout(WAIT):
            await process.wait()
