"""A configuration of the authorization server, and the server that runs by it in this process."""

from pathlib import Path

from authz_sidecar import configfile
from authz_sidecar.config import Config

_CONFIG = """\
state_dir = "state"
[oauth]
issuer = "http://127.0.0.1:9400"
bind = "127.0.0.1:0"
development = true
seed = "seed.toml"
tell_sidecars = false
{more}
[oauth.scopes]
"tickets:read" = {{ en = "See tickets", ko = "티켓 보기" }}
"tickets:write" = {{ en = "Make tickets" }}
[[issuers]]
alias = "own"
issuer = "http://127.0.0.1:9400"
jwks_uri = "http://127.0.0.1:9400/jwks"
algorithms = ["ES256"]
family_claim = "grant_id"
development = true
[[servers]]
name = "ops"
audience = "https://ops.example/mcp"
"""
SECRET = "0123456789012345678901234567890123456789"
SEED = f"""\
[[clients]]
id = "robot"
secret = "{SECRET}"
grant_types = ["client_credentials"]
scopes = ["tickets:read"]
[[clients]]
id = "app"
name = "App"
redirect_uris = ["https://app.example/cb"]
"""


def configured(directory: Path, *, more: str = "", seed: str = SEED) -> Config:
    (directory / "seed.toml").write_text(seed)
    (directory / "authz.toml").write_text(_CONFIG.format(more=more))
    return configfile.load(directory / "authz.toml", {})
