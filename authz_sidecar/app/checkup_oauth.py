"""A look at what the authorization server keeps: its keys and its database, there, ours, and shut to others."""

from pathlib import Path
from typing import Final

from authz_sidecar.app import authplaces
from authz_sidecar.app.finding import Finding, fail, ok, warn
from authz_sidecar.config import Config
from authz_sidecar.oauth import places

_KEYS: Final = "oauth keys"
_DATABASE: Final = "oauth database"
_REFUSED: Final = "`oauth serve` refuses to begin until that is mended"


def look(config: Config) -> list[Finding]:
    """Look at the places of `[oauth]`, where there is one."""
    if not config.oauth.issuer:
        return []
    keys, file = authplaces.key_directory(config), authplaces.database_file(config)
    secret = keys / places.KEYS
    found = [_places(_KEYS, keys, (keys, secret), secret=secret)]
    if file is not None:
        found.append(_places(_DATABASE, file, places.of_database(file)))
    return found


def _places(about: str, whole: Path, parts: tuple[Path, ...], *, secret: Path | None = None) -> Finding:
    try:
        troubles = [places.trouble(part, secret=part == secret) for part in parts]
        seen = [part for part in parts if part.is_file() and places.readable(part)]
        there = whole.exists()
    except OSError as error:
        return fail(about, f"{whole}: {error.strerror}", _REFUSED)
    if (why := next(filter(None, troubles), None)) is not None:
        return fail(about, why, _REFUSED)
    if seen:
        return warn(about, f"{seen[0]} can be read by others", f"run `chmod go= {seen[0]}`, or restart `oauth serve`")
    return ok(about, f"{whole} is ours alone" if there else f"{whole} will be made for us alone")
