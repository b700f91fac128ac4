"""Where a development key lies: the signing half for `token mint`, the public half for `jwks_file`."""

import json
from pathlib import Path

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import mint


def paths(directory: Path) -> tuple[Path, Path]:
    """Name the signing key and its public half."""
    return directory / "signing-key.json", directory / "jwks.json"


def refuse_existing(wanted: list[Path]) -> None:
    """Raise `ConfigError` when a file is there already; nothing of anybody's is overwritten."""
    if there := [path for path in wanted if path.exists()]:
        raise ConfigError(f"{there[0]}: exists already; nothing was overwritten")


def write(directory: Path, algorithm: str = "ES256") -> None:
    """Make a key marked for development and write both halves."""
    private, public = paths(directory)
    refuse_existing([private, public])
    directory.mkdir(parents=True, exist_ok=True)
    key = mint.generate_key(algorithm)
    mint.write_keys(private, [key])
    public.write_text(json.dumps(mint.public_jwks([key]), indent=2) + "\n", "utf-8")
