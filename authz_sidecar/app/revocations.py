"""From `[revocation]` of the configuration to what knows the revoked."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens.revocation import Revocations
from authz_sidecar.tokens.revocation_share import SharedStore

_LONGEST_PASSWORD: Final = 4_096


def revocations(config: Config, learned: Callable[[int, int], None]) -> Revocations:
    """Build it; nothing is opened yet. Raises `ConfigError`."""
    given = config.revocation
    return Revocations(
        path=config.state / "revocations.db",
        clock=time.time,
        keep_seconds=given.keep_seconds,
        max_entries=given.max_entries,
        shared=shared(config) if given.redis else None,
        on_unreachable=given.on_unreachable,
        patience=given.unreachable_after_seconds,
        monotonic=time.monotonic,
        learned=learned,
    )


def shared(config: Config) -> SharedStore:
    """Build what talks to Redis; raises `ConfigError`."""
    try:
        from authz_sidecar.tokens.revocation_redis import RedisStore
    except ModuleNotFoundError:
        raise ConfigError("`revocation.redis` needs the Redis client: pip install 'authz-sidecar[redis]'") from None
    given = config.revocation
    return RedisStore(
        given.redis,
        password=_password(config.at(given.redis_password_file)) if given.redis_password_file else None,
        ca_file=config.at(given.redis_ca_file) if given.redis_ca_file else None,
    )


def _password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            password = file.read(_LONGEST_PASSWORD + 1).decode().strip()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the password of Redis: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the password of Redis is not UTF-8") from None
    if not 0 < len(password) <= _LONGEST_PASSWORD:
        raise ConfigError(f"{path}: expected the password of Redis, 1 to {_LONGEST_PASSWORD} characters")
    return password
