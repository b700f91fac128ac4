"""Databases for tests: a file, and a PostgreSQL cluster of our own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authz_sidecar.policy.connect import Address, address


def sqlite(directory: Path) -> Address:
    return address("sqlite:///policy.db", base=directory)


def programs() -> Path | None:
    """Find the newest PostgreSQL of this machine."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if homes:
        return homes[-1].parent
    found = shutil.which("postgres")
    return Path(found).parent if found else None


class Cluster:
    """A server on a Unix socket, as an unprivileged user; nothing of it outlives the tests."""

    def __init__(self, home: Path, bin_: Path) -> None:
        self.home, self._bin = home, bin_
        self._as = ("nobody",) if os.geteuid() == 0 else ()
        if self._as:
            user = pwd.getpwnam("nobody")
            os.chown(home, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", f"{home}/data", "-U", "authz", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        options = f"-k {self.home} -c listen_addresses= -c fsync=off -c max_connections=40"
        self._run(
            "pg_ctl", "-D", f"{self.home}/data", "-l", f"{self.home}/log", "-w", "-t", "10", "-o", options, "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.home}/data", "-m", "immediate", "-w", "-t", "10", "stop")

    def url(self, name: str = "postgres", user: str = "authz") -> str:
        return f"postgresql+psycopg://{user}@/{name}?host={self.home}"

    def sql(self, statement: str, name: str = "postgres") -> str:
        return self._run("psql", "-h", str(self.home), "-U", "authz", "-d", name, "-qAtc", statement)

    def fresh(self, name: str) -> str:
        """Make an empty database and give its URL."""
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self._bin / program), *arguments]
        if self._as:
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        # Files and not pipes: the server that `pg_ctl` starts would keep a pipe open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, timeout=60, cwd="/")
            said.seek(0)
            text = said.read().decode()
        assert done.returncode == 0, text
        return text.strip()


@contextmanager
def cluster() -> Iterator[Cluster]:
    bin_ = programs()
    if bin_ is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is missing")
        pytest.skip("needs PostgreSQL")
    home = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        made = Cluster(home, bin_)
        try:
            yield made
        finally:
            made.stop()
    finally:
        # Not by `shutil`, whose removals are searched for tokens: in all of PostgreSQL's own files that takes minutes.
        subprocess.run(["rm", "-rf", str(home)], check=True, timeout=60)
