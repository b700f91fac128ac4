"""Every knob of the sidecar: one frozen tree, unpacked by `app` and seen by no one else."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from authz_sidecar.issuerknobs import Issuer
from authz_sidecar.oauthknobs import Oauth
from authz_sidecar.section import Place, Section, a_name


class Listen(Section):
    """Where the data service answers. With neither key set, `var/run/authz.sock` beside the configuration."""

    socket: Place = ""
    tcp: str = ""
    """`HOST:PORT`, loopback only unless TLS is configured."""
    tls_cert_file: Place = ""
    tls_key_file: Place = ""
    client_ca_file: Place = ""
    """With it, clients must present a certificate of this authority (mTLS)."""
    max_message_bytes: Annotated[int, Field(ge=65_536, le=67_108_864)] = 4_194_304

    @model_validator(mode="after")
    def _complete(self) -> "Listen":
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("TLS needs both `tls_cert_file` and `tls_key_file`")
        if self.client_ca_file and not self.tls_cert_file:
            raise ValueError("`client_ca_file` needs `tls_cert_file` and `tls_key_file`")
        if self.tls_cert_file and not self.tcp:
            raise ValueError("TLS needs `tcp`")
        return self


class Admin(Section):
    """Where the administration service answers: a Unix socket of its own, never the data listener."""

    socket: Place = ""
    """Default: `admin.sock` beside the data socket, or in `run` of the state directory."""


class Http(Section):
    """Metrics and health over HTTP, on loopback. An empty `bind` switches it off."""

    bind: str = "127.0.0.1:9464"
    allowed_hosts: tuple[str, ...] = ()
    """`Host` values accepted beyond the loopback names."""

    @field_validator("bind")
    @classmethod
    def _loopback(cls, value: str) -> str:
        if value and not is_loopback(value):
            raise ValueError(f"`{value}` is not a loopback address with a port, for example `127.0.0.1:9464`")
        return value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class Server(Section):
    """One MCP server that the sidecar answers for."""

    name: str
    audience: Annotated[str, Field(min_length=1, max_length=1_024)]
    """What a token's `aud` must contain, byte by byte; usually the public URL of the server."""
    mode: Literal["enforce", "observe"] = "enforce"
    audiences: dict[str, Annotated[str, Field(min_length=1, max_length=1_024)]] = Field(default_factory=dict)
    """By an issuer's alias: the audience in that issuer's tokens, where it cannot be told `audience`."""
    methods: tuple[str, ...] = ()
    """Methods of this server beyond those of the MCP specification."""

    _name = field_validator("name")(a_name)

    @field_validator("methods", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class Policy(Section):
    """Which files say who may do what, and what reads them."""

    path: Place = "policies"
    engine: Annotated[str, Field(min_length=1)] = "casbin"
    """The name of an engine, or how several decide together: `all:casbin,cedar`, `any:…`, `first:…`."""
    subjects: Literal["prefixed", "plain"] = "prefixed"
    """`plain` reads names without `user:` and `role:`, as in Casbin's examples."""
    database: str = ""
    """`sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`: rows that several sidecars share, instead of files."""
    database_password_file: Place = ""
    """The password of that user, read anew for each connection."""
    shadow: Place = ""
    """A directory with a policy that is tried out: asked beside the one in force, logged and counted, not enforced."""


class Audit(Section):
    """Where decisions are remembered."""

    path: Place = ""
    """A directory for `decisions.jsonl`; default `audit` in the state directory. `-` writes to standard output."""
    console: bool = False
    """Also say each decision on standard error, for people in development."""
    when_full: Literal["deny", "drop"] = "deny"
    queue_lines: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    digest_key_file: Place = ""
    """32 random bytes that key the digests of tokens and arguments; made in the state directory when not set."""


class Revocation(Section):
    """How long revocations are kept, and with whom they are shared."""

    keep_seconds: Annotated[int, Field(ge=300, le=3_153_600_000)] = 86_400
    """The longest life of a token. One that lives longer is refused once a revocation that may mean it is forgotten."""
    max_entries: Annotated[int, Field(ge=1_000, le=10_000_000)] = 200_000
    """About 1 KiB of memory each. None is ever dropped for another: beyond this, `revoke` is refused."""
    redis: str = ""
    """`redis://HOST:PORT/DB` or `rediss://…`: where several sidecars share their revocations."""
    redis_password_file: Place = ""
    redis_ca_file: Place = ""
    """The authority of the `rediss://` certificate; default: those of the system."""
    on_unreachable: Literal["deny", "allow_known"] = "deny"
    """While Redis is not reached: answer no question, or go on with what is known."""
    unreachable_after_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """For so long after its last word, Redis counts as reached."""

    @field_validator("redis")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://")):
            raise ValueError("expected `redis://HOST:PORT/DB` or `rediss://HOST:PORT/DB`")
        if ":" in value.partition("//")[2].rpartition("@")[0]:
            raise ValueError("holds a password; put it into a file that `redis_password_file` names")
        return value

    @model_validator(mode="after")
    def _complete(self) -> "Revocation":
        for key in ("redis_password_file", "redis_ca_file"):
            if getattr(self, key) and not self.redis:
                raise ValueError(f"`{key}` needs `redis`")
        if self.redis_ca_file and not self.redis.startswith("rediss:"):
            raise ValueError("`redis_ca_file` needs `rediss://`")
        return self


class Context(Section):
    """What enforcement points say about a call besides, for conditions; never taken from headers of the client."""

    keys: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")], ...] = ()
    """For example `["ip"]`: then a condition may look at `context.ip`."""

    @field_validator("keys", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class Scopes(Section):
    """How scopes relate."""

    implies: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """A scope and those that it stands for, for example `"tickets:admin" = ["tickets:write"]`."""

    @field_validator("implies", mode="before")
    @classmethod
    def _tuples(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


class Config(Section):
    """The whole configuration."""

    state_dir: Place = "var"
    """The last good policy and keys of our own; made with mode 0700."""
    listen: Listen = Listen()
    admin: Admin = Admin()
    http: Http = Http()
    issuers: tuple[Issuer, ...] = Field(min_length=1)
    servers: tuple[Server, ...] = Field(min_length=1)
    policy: Policy = Policy()
    audit: Audit = Audit()
    scopes: Scopes = Scopes()
    context: Context = Context()
    revocation: Revocation = Revocation()
    oauth: Oauth = Oauth()
    _base: Path = PrivateAttr(default=Path())

    @field_validator("issuers", "servers", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _unique(self) -> "Config":
        _distinct("alias", [issuer.alias for issuer in self.issuers])
        _distinct("issuer", [issuer.issuer for issuer in self.issuers])
        _distinct("server name", [server.name for server in self.servers])
        mapped = any(issuer.roles_claim or issuer.groups_claim for issuer in self.issuers)
        if self.policy.subjects == "plain" and (mapped or len(self.issuers) > 1):
            # Without prefixes nobody could tell a role of the token from a user of that name.
            raise ValueError('`policy.subjects = "plain"` needs one issuer without `roles_claim` and `groups_claim`')
        # A token for one server must never open another.
        _distinct("audience", [server.audience for server in self.servers])
        aliases = [issuer.alias for issuer in self.issuers]
        for server in self.servers:
            if strangers := sorted(server.audiences.keys() - set(aliases)):
                raise ValueError(f"`audiences` of `{server.name}` names the issuer `{strangers[0]}`, expected an alias")
        for alias in aliases:
            _distinct(f"audience for `{alias}`", [one.audiences.get(alias, one.audience) for one in self.servers])
        return self

    def based(self, directory: Path) -> "Config":
        """Give the same configuration with relative paths that begin in this directory."""
        moved = self.model_copy()
        moved._base = directory  # noqa: SLF001 - our own
        return moved

    def at(self, path: str) -> Path:
        """Resolve a configured path."""
        return self._base / Path(path).expanduser()

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.at(self.state_dir)

    @property
    def data_socket(self) -> Path | None:
        """The Unix socket of the data service; None where only TCP is configured."""
        if self.listen.socket:
            return self.at(self.listen.socket)
        return None if self.listen.tcp else self.state / "run" / "authz.sock"

    @property
    def admin_socket(self) -> Path:
        """The Unix socket of the administration service."""
        if self.admin.socket:
            return self.at(self.admin.socket)
        return (self.data_socket or self.state / "run" / "authz.sock").with_name("admin.sock")


def _distinct(what: str, values: list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"the {what} `{twice[0]}` stands twice; each must be its own")


def is_loopback(address: str) -> bool:
    """Say whether `HOST:PORT` names this machine alone."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
