"""A look at one token by the configured issuers, as `token inspect` shows it."""

import asyncio
import time

from authz_sidecar.app.issuers import known
from authz_sidecar.config import Config
from authz_sidecar.errors import Problem
from authz_sidecar.model import Server
from authz_sidecar.tokens.inspect import Inspection, inspect
from authz_sidecar.tokens.inspect_opaque import inspect_opaque
from authz_sidecar.tokens.verifier import is_opaque


async def inspected(config: Config, text: str, server: Server | None) -> tuple[Inspection, tuple[Problem, ...]]:
    """Explain a token, and say which keys could not be read; an opaque one is asked about, when an issuer can be."""
    registry = known(config)
    try:
        if registry.opaque is not None and is_opaque(text):
            return await inspect_opaque(text, registry.opaque, server, time.time), ()
        await asyncio.gather(*(keys.seek() for keys in registry.changing.values()))
        return inspect(text, registry.issuers, server, time.time), registry.problems()
    finally:
        await registry.close()
