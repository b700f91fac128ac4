"""Choosing who answers: the sidecar beside us, the one inside us, or whom the caller brought."""

from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from mcp_adapter.client import SidecarClient
from mcp_adapter.pdp import Pdp

SIDECAR: Final = "unix:var/run/authz.sock"


@runtime_checkable
class Starts(Protocol):
    """Somebody who answers, and has to start first."""

    async def open(self) -> None:
        """Start, or raise what keeps the server from starting."""
        ...


def answering(*, sidecar: str, config: Path | str | None, client: Pdp | None, timeout: float) -> Pdp:
    """Give who answers; a `client` goes before `config`, and that before `sidecar`. Raises `ValueError`."""
    if client is not None:
        return client
    if config is None:
        return SidecarClient(sidecar, timeout=timeout)
    from mcp_adapter.embedded import EmbeddedPdp  # the whole sidecar: loaded for those who want it inside alone

    return EmbeddedPdp(config, timeout=timeout)


async def start(pdp: Pdp) -> None:
    """Start whom we ask, where there is something to start."""
    if isinstance(pdp, Starts):
        await pdp.open()
