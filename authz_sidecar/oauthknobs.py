"""The knobs of the authorization server: what it is called, what it guards, and how long things live."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from authz_sidecar.section import Place, Section
from authz_sidecar.tokens import urls

ScopeName = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,128}$")]
Words = Annotated[str, Field(min_length=1, max_length=200)]


class ScopeWords(Section):
    """What a scope means, as a person reads it on the consent page."""

    en: Words
    ko: Words | None = None


class GuardedResource(Section):
    """A resource that tokens are issued for: the public URL of an MCP server."""

    uri: Annotated[str, Field(min_length=1, max_length=1_024)]
    """What its tokens name in `aud`; the `audience` of the server."""
    name: Annotated[str, Field(max_length=100)] = ""
    scopes: tuple[ScopeName, ...] = ()

    @field_validator("scopes", mode="before")
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("uri")
    @classmethod
    def _plain(cls, value: str) -> str:
        # RFC 8707 section 2: an absolute URI without a fragment.
        if ":" not in value or "#" in value or not value.isprintable() or " " in value:
            raise ValueError(f"`{value}` is not a URI without fragment")
        return value


class TrustedProvider(Section):
    """An identity provider whose assertions about people are believed (ID-JAG)."""

    issuer: Annotated[str, Field(min_length=1, max_length=1_024)]
    jwks_uri: str = ""
    jwks_file: Place = ""
    subject_claim: Annotated[str, Field(min_length=1)] = "sub"
    """The claim that is the person's name here."""

    @model_validator(mode="after")
    def _one_source(self) -> "TrustedProvider":
        if bool(self.jwks_uri) == bool(self.jwks_file):
            raise ValueError("needs either `jwks_uri` or `jwks_file`")
        if self.jwks_uri:
            _written("jwks_uri", self.jwks_uri)
        return self


class Oauth(Section):
    """The authorization server, run by `authz-sidecar oauth serve`; without `issuer` there is none."""

    issuer: str = ""
    """Exact, as tokens name it: `https://HOST[/PATH]` without a trailing slash."""
    bind: str = "127.0.0.1:9400"
    """Loopback, behind a proxy that ends TLS; elsewhere only with `tls_cert_file` and `tls_key_file`."""
    tls_cert_file: Place = ""
    tls_key_file: Place = ""
    allowed_hosts: tuple[str, ...] = ()
    """`Host` values accepted beside that of `issuer`."""
    client_address_header: Literal["", "x-forwarded-for", "x-real-ip"] = ""
    """Where a proxy on this machine writes the caller's address; without it, limits by address meet all as one."""
    database: str = ""
    """`postgresql://USER@HOST/NAME` or `sqlite:///FILE`; default: `oauth/oauth.db` in the state directory."""
    database_password_file: Place = ""
    keys: Place = ""
    """The directory of the signing keys; default: `oauth/keys` in the state directory."""
    algorithm: Literal["ES256", "RS256", "EdDSA"] = "ES256"
    """Of the first key, which is made at the first start."""
    resources: tuple[GuardedResource, ...] = ()
    """Default: the audience of each of `[[servers]]`, with every scope of `[oauth.scopes]`."""
    scopes: dict[ScopeName, ScopeWords] = Field(default_factory=dict)
    code_seconds: Annotated[int, Field(ge=10, le=60)] = 60
    access_seconds: Annotated[int, Field(ge=30, le=600)] = 600
    refresh_seconds: Annotated[int, Field(ge=600, le=31_536_000)] = 14 * 86_400
    """How long a refresh token may lie unused."""
    grant_seconds: Annotated[int, Field(ge=600, le=31_536_000)] = 90 * 86_400
    """How long a grant lives, however often it is refreshed."""
    registration: bool = True
    """Whether clients may register themselves (RFC 7591), as most MCP clients do."""
    registrations_per_hour: Annotated[int, Field(ge=1, le=100_000)] = 60
    """From one address."""
    registration_seconds: Annotated[int, Field(ge=3_600, le=31_536_000)] = 90 * 86_400
    """How long such a client lives after it was last used."""
    max_clients: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """How many such clients there may be."""
    client_documents: bool = True
    """Whether a URL may be a client id (client ID metadata documents)."""
    client_document_hosts: tuple[str, ...] = ()
    """When given, only documents of these hosts are looked at."""
    ca_file: Place = ""
    """The authorities for documents and `jwks_uri`; default: those of the system."""
    identity_providers: tuple[TrustedProvider, ...] = ()
    sidecars: tuple[Place, ...] = ()
    """Admin sockets of the sidecars to tell of revocations; default: this configuration's own."""
    tell_sidecars: bool = True
    """Whether sidecars are told over their admin sockets; Redis of `[revocation]` is told whenever it is configured."""
    development: bool = False
    """Plain http on the loopback, keys marked for development, and a seed of clients and users."""
    seed: Place = ""
    """A TOML file with `[[clients]]` and `[[users]]` for development."""

    @field_validator(
        "allowed_hosts", "resources", "client_document_hosts", "identity_providers", "sidecars", mode="before"
    )
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("issuer")
    @classmethod
    def _name(cls, value: str) -> str:
        if value:
            _written("issuer", value)
            if value.endswith("/") or "?" in value:
                raise ValueError(f"`{value}` has a trailing slash or a query; clients compare it byte by byte")
        return value

    @model_validator(mode="after")
    def _fitting(self) -> "Oauth":
        if self.issuer.startswith("http:") and not self.development:
            raise ValueError("plain http on the loopback is for development: set `development = true`, or use https")
        if self.seed and not self.development:
            raise ValueError("`seed` holds passwords that everybody may read: it needs `development = true`")
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("TLS needs both `tls_cert_file` and `tls_key_file`")
        if unknown := sorted({name for one in self.resources for name in one.scopes} - self.scopes.keys()):
            raise ValueError(f"the scope `{unknown[0]}` has no words in `[oauth.scopes]`")
        return self


def _written(key: str, value: str) -> None:
    try:
        urls.written(value)
    except ValueError as error:
        raise ValueError(f"`{key}` {error}") from None
