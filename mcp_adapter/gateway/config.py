"""Every knob of the gateway: one frozen tree, read by `configfile` and unpacked by `build`."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from mcp_adapter.cors import Cors

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_RATE: Final = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")
_MIB: Final = 1024 * 1024


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values are exact and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _tuples(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


def is_loopback(bind: str) -> bool:
    """Say whether an address with a port, or a host with one, is on this machine alone."""
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _rate(value: str) -> str:
    if not _RATE.fullmatch(value):
        raise ValueError(f"`{value}` is not a rate, for example `60/minute` (second, minute, hour or day)")
    return value


def _bind(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"`{value}` is not an address with a port, for example `127.0.0.1:8080`")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises when it is no port
    except ValueError:
        raise ValueError(f"`{value}` is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"`{value}` is not an `http` or `https` URL without user and fragment")
    return value


Rate = Annotated[str, AfterValidator(_rate)]
Bind = Annotated[str, AfterValidator(_bind)]
Url = Annotated[str, AfterValidator(_url)]
Seconds = Annotated[float, Field(gt=0, le=86_400, strict=False)]
Place = str
"""A file or directory; relative ones begin in the directory of the configuration."""


class Listen(Section):
    """Where MCP clients come in; beyond the loopback only with TLS."""

    bind: Bind = "127.0.0.1:8080"
    tls_cert_file: Place = ""
    tls_key_file: Place = ""
    client_ca_file: Place = ""
    """With it, clients must present a certificate of this authority (mTLS)."""
    max_connections: Annotated[int, Field(ge=1)] = 10_000

    @model_validator(mode="after")
    def _guarded(self) -> "Listen":
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("TLS needs both `tls_cert_file` and `tls_key_file`")
        if self.client_ca_file and not self.tls_cert_file:
            raise ValueError("`client_ca_file` needs `tls_cert_file` and `tls_key_file`")
        if not self.tls_cert_file and not is_loopback(self.bind):
            raise ValueError(f"`{self.bind}` can be reached from a network, so tokens need TLS: give `tls_cert_file`")
        return self


class Status(Section):
    """Metrics and health, on loopback. An empty `bind` switches it off."""

    bind: str = "127.0.0.1:9465"
    allowed_hosts: tuple[str, ...] = ()
    """`Host` values accepted beyond the loopback names."""

    @field_validator("bind")
    @classmethod
    def _loopback(cls, value: str) -> str:
        if value and not is_loopback(_bind(value)):
            raise ValueError(f"`{value}` is not a loopback address with a port, for example `127.0.0.1:9465`")
        return value


class Sidecar(Section):
    """Who decides."""

    target: str = "unix:var/run/authz.sock"
    """`unix:PATH` or `HOST:PORT`."""
    timeout_seconds: Seconds = 1.0
    ca_file: Place = ""
    cert_file: Place = ""
    key_file: Place = ""


class Audit(Section):
    """Where one line for each request goes; an empty path is stderr."""

    path: Place = "var/audit/gateway.jsonl"


class Identity(Section):
    """How the servers behind learn who is calling."""

    header: bool = True
    """Send `X-Authz-Identity`, a JWT signed by a key in the state directory."""
    seconds: Annotated[int, Field(ge=5, le=30)] = 30
    plain_user_id: bool = False
    """Also send `X-User-Id`, which proves nothing to a server that others can reach."""


class Counting(Section):
    """Where requests are counted."""

    redis_url_file: Place = ""
    """A file with the URL of a Redis that several gateways share; empty: memory, for each gateway on its own."""
    when_unavailable: Literal["deny", "allow"] = "deny"


class Limits(Section):
    """How much one server is asked to do; everything here is for each principal unless it says otherwise."""

    per_principal: tuple[Rate, ...] = ()
    per_tool: tuple[Rate, ...] = ()
    """For each principal and each thing acted on."""
    tools: dict[str, tuple[Rate, ...]] = Field(default_factory=dict)
    """Rates of tools by name, in place of `per_tool`."""
    concurrent: Annotated[int, Field(ge=1)] = 1_000
    """Requests in flight to this server, of everybody; streams do not count."""
    concurrent_per_principal: Annotated[int, Field(ge=1)] = 64
    streams_per_principal: Annotated[int, Field(ge=1)] = 32

    @field_validator("tools", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


class Health(Section):
    """When a server counts as down."""

    failures: Annotated[int, Field(ge=1, le=1_000)] = 3
    """Connections that fail one after another."""
    pause_seconds: Seconds = 5.0
    """How long it is then left alone."""
    probe_url: str = ""
    """Asked by GET every `interval_seconds`; anything but an answer below 500 is a failure. Empty: never asked."""
    interval_seconds: Seconds = 10.0

    @field_validator("probe_url")
    @classmethod
    def _probed(cls, value: str) -> str:
        return _url(value) if value else value


class Server(Section):
    """One MCP server and the path under which it is reached."""

    name: str
    """As in the policy."""
    path: str
    url: Url
    resource: str = ""
    """The identifier in tokens and metadata (RFC 9728); default: `public_url` with `path`."""
    authorization_servers: tuple[Url, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    scopes_hint: tuple[str, ...] = ()
    help_text: str = ""
    denied: Literal["403", "hide", "200"] = "403"
    """How a final no is said."""
    cors_origins: tuple[str, ...] = ()
    """Web pages that may ask, and read the answers."""
    client_address: str = ""
    """Under which key of `context` conditions see the address that a request comes from; empty: they do not."""
    ca_file: Place = ""
    """Who vouches for the server, in place of the system's authorities."""
    cert_file: Place = ""
    key_file: Place = ""
    credential_file: Place = ""
    """What the gateway itself shows to the server."""
    credential_header: str = "Authorization"
    """With `Authorization` the file holds a bearer token, with any other name the whole value."""
    connect_timeout_seconds: Seconds = 5.0
    answer_timeout_seconds: Seconds = 300.0
    """Until an answer begins, and between two pieces of one that is no stream of events."""
    max_body_bytes: Annotated[int, Field(ge=1, le=64 * _MIB)] = _MIB
    limits: Limits = Limits()
    health: Health = Health()

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(f"`{value}` is not a name: letters, digits, `.`, `_` and `-`, at most 128")
        return value

    @field_validator("path")
    @classmethod
    def _pathed(cls, value: str) -> str:
        if not _PATH.fullmatch(value) or any(part in (".", "..", ".well-known") for part in value.split("/")):
            raise ValueError(f"`{value}` is not a plain path, for example `/billing/mcp`")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Cors(value)
        return value

    @field_validator("client_address")
    @classmethod
    def _keyed(cls, value: str) -> str:
        if value and not _KEY.fullmatch(value):
            raise ValueError(f"`{value}` is not a key of `context`, for example `ip`")
        return value

    @field_validator("credential_header")
    @classmethod
    def _header(cls, value: str) -> str:
        taken = ("host", "content-length", "transfer-encoding", "x-authz-identity", "x-user-id")
        if not _HEADER.fullmatch(value) or value.lower() in taken:
            raise ValueError(f"`{value}` cannot be the header of a credential")
        return value

    @model_validator(mode="after")
    def _fitting(self) -> "Server":
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("a client certificate needs both `cert_file` and `key_file`")
        plain = urlsplit(self.url).scheme == "http"
        if plain and (self.ca_file or self.cert_file):
            raise ValueError(f"`ca_file` and `cert_file` need an `https` URL, and `{self.url}` is none")
        if plain and self.credential_file and not is_loopback(f"{urlsplit(self.url).hostname}:0"):
            raise ValueError(f"`{self.url}` would carry the credential in the clear: use `https`")
        return self


class Gateway(Section):
    """The whole configuration."""

    public_url: Url
    """How clients reach the gateway: scheme and host, without a path."""
    state_dir: Place = "var/gateway"
    allowed_hosts: tuple[str, ...] = ()
    """`Host` values beyond that of `public_url` and, on loopback, that of `listen.bind`."""
    allowed_origins: tuple[str, ...] = ()
    """`Origin` values of web pages beyond `public_url`."""
    listen: Listen = Listen()
    status: Status = Status()
    sidecar: Sidecar = Sidecar()
    audit: Audit = Audit()
    identity: Identity = Identity()
    counting: Counting = Counting()
    servers: tuple[Server, ...] = Field(min_length=1)

    @field_validator("public_url")
    @classmethod
    def _bare(cls, value: str) -> str:
        if urlsplit(value).path not in ("", "/") or urlsplit(value).query:
            raise ValueError(f"`{value}` has a path or a query; give scheme and host alone")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _distinct(self) -> "Gateway":
        for what in ("name", "path"):
            values = [getattr(server, what) for server in self.servers]
            for value in sorted({value for value in values if values.count(value) > 1}):
                raise ValueError(f"two servers have the {what} `{value}`")
        return self


def place(base: Path, value: str) -> Path | None:
    """Give a configured file, or None where none is configured."""
    return base / Path(value).expanduser() if value else None
