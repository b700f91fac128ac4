"""Runs the sidecar: builds every room, opens the doors, and closes them in order."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from itertools import count
from secrets import token_hex
from typing import Final

import structlog

from authz_sidecar import __version__
from authz_sidecar.app import translate
from authz_sidecar.app.telling import Telling
from authz_sidecar.audit.digest import Digester, load_or_create_key
from authz_sidecar.audit.ledger import Ledger
from authz_sidecar.audit.sinks import ConsoleSink, Fanout, StreamSink
from authz_sidecar.config import Config
from authz_sidecar.decide import Decider
from authz_sidecar.engines import registry
from authz_sidecar.errors import ConfigError
from authz_sidecar.http.listen import HttpServer
from authz_sidecar.http.metrics import Metrics
from authz_sidecar.linelog import LineLog, LineSink
from authz_sidecar.policy.store import PolicyStore
from authz_sidecar.policy.watch import watch
from authz_sidecar.ports import NewId
from authz_sidecar.server.lifecycle import GrpcServer
from authz_sidecar.server.listen import Options
from authz_sidecar.tokens.verifier import JwtVerifier

GRACE_SECONDS: Final = 5.0
"""How long calls in flight may take after SIGTERM."""

_log = structlog.get_logger("authz_sidecar")


def new_ids() -> NewId:
    """Name decisions: random for the process, counted within it, so that making one costs nothing."""
    boot, numbers = token_hex(8), count(1)
    return lambda: f"{boot}-{next(numbers):x}"
