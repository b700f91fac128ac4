"""Says which optional packages a feature needs, before an import fails."""

from importlib.util import find_spec

from authz_sidecar.errors import ConfigError


def oauth() -> None:
    """Raise `ConfigError` when the packages of the authorization server are not installed."""
    missing = [name for name in ("aiosqlite", "alembic", "argon2", "jinja2", "sqlalchemy") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the authorization server needs more packages ({', '.join(missing)}): pip install 'authz-sidecar[oauth]'"
        )
