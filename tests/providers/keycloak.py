"""Runs a real Keycloak on loopback: its server distribution from Maven Central, in development mode, in memory."""

import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from examples.demo.processes import free_port
from tests.providers.real import HERE, need

VERSION: Final = "26.3.2"
WAIT: Final = 10.0
_FETCH: Final = 600.0  # seconds for 150 MB
_START: Final = 400.0  # seconds; it compiles itself first
_SECRET: Final = "a-secret-of-the-test-alone"
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


def install(target: Path) -> Path:
    """Fetch and unpack it below `target`, with our realm to import; give its home."""
    need("java", "mvn", "bash")
    artifact = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    command = ["mvn", "-q", "-B", _COPY, artifact, f"-DoutputDirectory={target}"]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=_FETCH, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    archive = target / f"keycloak-quarkus-dist-{VERSION}.zip"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)
    archive.unlink()
    home = target / f"keycloak-{VERSION}"
    (home / "data" / "import").mkdir(parents=True)
    shutil.copy(HERE / "keycloak_realm.json", home / "data" / "import" / "corp-realm.json")
    return home


@dataclass(frozen=True, kw_only=True)
class Keycloak:
    """A running Keycloak with the realm `corp`: the user alice, the clients inspector and nightly."""

    url: str
    http: httpx.Client

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/corp"

    def tokens(self, realm: str = "corp", **form: str) -> dict[str, Any]:
        answer = self.http.post(f"{self.url}/realms/{realm}/protocol/openid-connect/token", data=form)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def alice(self) -> dict[str, Any]:
        """Get the access, ID and refresh token of a person."""
        return self.tokens(
            grant_type="password", client_id="inspector", username="alice", password="alice", scope="openid"
        )

    def nightly(self) -> str:
        """Get the access token of a service."""
        return str(
            self.tokens(grant_type="client_credentials", client_id="nightly", client_secret=_SECRET)["access_token"]
        )

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one stays published."""
        admin = self.tokens("master", grant_type="password", client_id="admin-cli", username="root", password=_SECRET)
        config = {"priority": ["200"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]}
        answer = self.http.post(
            f"{self.url}/admin/realms/corp/components",
            headers={"Authorization": f"Bearer {admin['access_token']}"},
            json={
                "name": "next",
                "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider",
                "config": config,
            },
        )
        assert answer.status_code == 201, answer.text


@contextmanager
def running(home: Path) -> Iterator[Keycloak]:
    """Run it until the block ends."""
    port = free_port()
    options = ["--db=dev-mem", "--import-realm", "--http-host=127.0.0.1", f"--http-port={port}", "--cache=local"]
    secrets = {"KC_BOOTSTRAP_ADMIN_USERNAME": "root", "KC_BOOTSTRAP_ADMIN_PASSWORD": _SECRET}
    log = home / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", str(home / "bin" / "kc.sh"), "start-dev", *options],
            env=os.environ | secrets | {"JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the shell starts a Java of its own, which must end with it
        )
    try:
        with httpx.Client(trust_env=False, timeout=WAIT) as http:
            found = Keycloak(url=f"http://127.0.0.1:{port}", http=http)
            _await(found, process, log)
            yield found
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(WAIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(WAIT)


def _await(found: Keycloak, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START
    while True:
        assert process.poll() is None, log.read_text(errors="replace")[-4_000:]
        assert time.monotonic() < end, log.read_text(errors="replace")[-4_000:]
        try:
            if found.http.get(f"{found.issuer}/.well-known/openid-configuration").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)  # a process of somebody else's that says in no other way that it is there
