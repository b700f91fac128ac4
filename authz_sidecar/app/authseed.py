"""Sows the clients and users of a seed file, for development alone."""

import tomllib
from collections.abc import Mapping

from authz_sidecar.config import Config
from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth import seed
from authz_sidecar.oauth.core import Core
from authz_sidecar.oauth.people.seed import seed as sow_people


async def sow(config: Config, core: Core) -> None:
    """Add what the seed names and the database has not; raises `ConfigError`. Does nothing without a seed."""
    given = config.oauth
    if not given.seed:
        return
    path = config.at(given.seed)
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a seed: {error}") from None
    if strangers := sorted(tree.keys() - {"clients", "users"}):
        raise ConfigError(f"{path}: unknown key `{strangers[0]}`; known here: clients, users")
    try:
        await seed.sow(core.registry, core.settings, _tables(tree, "clients"))
        await sow_people(core.store, core.settings, _tables(tree, "users"))
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _tables(tree: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = tree.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ConfigError(f"`{name}` must be tables: `[[{name}]]`")
    return found
