"""Finds the engine that the configuration names."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Final, cast

from authz_sidecar.engines.compose import MODES, ComposedEngine, Mode
from authz_sidecar.errors import ConfigError
from authz_sidecar.ports import PolicyEngine

GROUP: Final = "authz_sidecar.engines"


def load(name: str, *, group: str = GROUP) -> PolicyEngine:
    """Load the engine that the configuration names, or several that decide together (`all:casbin,cedar`).

    Raises `ConfigError` when one is not there, or there twice.
    """
    mode, colon, names = name.partition(":")
    if not colon:
        return _one(name, group)
    if mode not in MODES:
        known = ", ".join(f"`{one}:`" for one in MODES)
        raise ConfigError(f"`{name}`: engines decide together by {known}, not by `{mode}:`")
    parts = [part.strip() for part in names.split(",")]
    if len(set(parts)) < max(2, len(parts)):
        raise ConfigError(f"`{name}`: expected at least two different engines, for example `all:casbin,cedar`")
    return ComposedEngine(name, cast("Mode", mode), [_one(part, group) for part in parts])


def _one(name: str, group: str) -> PolicyEngine:
    """Load the one engine of that name, built in or installed beside us; no other plug is even imported.

    An entry point names something that is called without arguments and gives a `PolicyEngine`. Raises `ConfigError`
    when there is none or more than one, and when it cannot be loaded.
    """
    known = entry_points(group=group)
    found = known.select(name=name)
    if len(found) != 1:
        names = ", ".join(f"`{other}`" for other in sorted(set(known.names))) or "none"
        raise ConfigError(f"{len(found)} engines are called `{name}`, expected one; installed: {names}")
    (entry,) = found
    try:
        make = cast("Callable[[], PolicyEngine]", entry.load())  # a plug's promise; `authz_sidecar.testing` checks it
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the engine `{name}` (`{entry.value}`) cannot be loaded: {error}") from error
    engine = make()
    if engine.name != name:
        raise ConfigError(f"the engine `{name}` (`{entry.value}`) calls itself `{engine.name}`")
    return engine
