"""What is said of a configuration that is wrong."""

from pathlib import Path

import pytest

from authz_sidecar import configfile
from authz_sidecar.errors import ConfigError


def problems(path: Path, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        configfile.load(path, environment)
    return str(refused.value).replace(f"{path}", "authz.toml").splitlines()
