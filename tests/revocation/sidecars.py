"""Real sidecars for tests of revocation: asked and told over their own sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AdminServiceStub, AuthorizationServiceStub
from examples.demo import processes
from examples.demo.processes import Playground, free_port
from tests.process import commands
from tests.process.grounds import token, until

WAIT = 10.0


@dataclass(frozen=True)
class Sidecar:
    """One sidecar, running or not."""

    ground: Playground

    def check(self, bearer: str) -> pb.CheckResponse:
        with grpc.insecure_channel(f"unix:{self.ground.socket}") as channel:
            request = pb.CheckRequest(token=bearer, method="tools/call", tool="lookup_inventory")
            return AuthorizationServiceStub(channel).Check(request, timeout=WAIT)

    def answers(self, bearer: str) -> str:
        """Give the reason, or the status where there is no answer."""
        try:
            return pb.Reason.Name(self.check(bearer).reason).removeprefix("REASON_")
        except grpc.RpcError as error:
            return error.code().name

    def revoke(self, **request: Any) -> pb.RevokeResponse:
        with self.admin() as stub:
            return stub.Revoke(pb.RevokeRequest(**request), timeout=WAIT)

    def listed(self) -> pb.ListRevocationsResponse:
        with self.admin() as stub:
            return stub.ListRevocations(pb.ListRevocationsRequest(), timeout=WAIT)

    @contextmanager
    def admin(self) -> Iterator[AdminServiceStub]:
        with grpc.insecure_channel(f"unix:{self.ground.socket.with_name('admin.sock')}") as channel:
            yield AdminServiceStub(channel)

    def metric(self, name: str) -> float:
        with httpx.Client(trust_env=False, timeout=WAIT) as http:
            text = http.get(f"http://127.0.0.1:{self.ground.http_port}/metrics").text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))

    def ready(self) -> int:
        with httpx.Client(trust_env=False, timeout=WAIT) as http:
            return http.get(f"http://127.0.0.1:{self.ground.http_port}/readyz").status_code


@contextmanager
def prepared(extra: str = "", issuer: str = "") -> Iterator[Sidecar]:
    """Lay out a sidecar, with further sections and keys of the issuer."""
    home = Path(tempfile.mkdtemp(prefix="authz"))
    try:
        ground = processes.prepare(home / "g", command=commands.run)
        text = ground.config.read_text().replace("development = true\n", f"development = true\n{issuer}\n")
        ground.config.write_text(f"{text}\n{extra}\n")
        yield Sidecar(ground)
    finally:
        shutil.rmtree(home)


def twin(first: Sidecar, name: str) -> Sidecar:
    """Lay out another sidecar for the same server, issuer and policy, with a state of its own."""
    ground = first.ground
    directory = ground.directory.parent / name
    directory.mkdir()
    shutil.copytree(ground.directory / "keys", directory / "keys")
    port = free_port()
    text = ground.config.read_text().replace(f"127.0.0.1:{ground.http_port}", f"127.0.0.1:{port}")
    (directory / "authz.toml").write_text(text)
    return Sidecar(replace(ground, directory=directory, http_port=port))


__all__ = ["Sidecar", "prepared", "token", "twin", "until"]
