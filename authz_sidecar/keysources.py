"""The knobs of an issuer that say where its keys, or answers about its tokens, come from."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from authz_sidecar.section import Place, Section
from authz_sidecar.tokens import urls

_SOURCES: Final = ("jwks_uri", "discovery", "jwks_file", "pem_file", "secret_file")


def _web(value: str) -> str:
    if value:
        try:
            urls.written(value)
        except ValueError as error:
            raise ValueError(f"`{value}` {error}") from None
    return value


def _metadata(value: bool | str) -> bool | str:
    return _web(value) if isinstance(value, str) else value


def _proxy(value: str) -> str:
    if not value:
        return value
    try:
        url = urls.parse(value)
    except ValueError as error:
        raise ValueError(f"`{value}` {error}".replace("https://HOST[:PORT]/PATH", "http://HOST:PORT")) from None
    if url.target != "/":
        raise ValueError(f"`{value}` has a path; a proxy is `http://HOST:PORT`")
    return value


Web = Annotated[str, AfterValidator(_web)]
"""A URL that the operator vouches for."""


class KeySources(Section):
    """Where keys come from: one of `jwks_uri`, `discovery`, `jwks_file`, `pem_file`, `secret_file`."""

    jwks_uri: Web = ""
    discovery: Annotated[bool | str, AfterValidator(_metadata)] = False
    """True: the metadata at the well-known places of `issuer`; or the URL of the metadata."""
    jwks_file: Place = ""
    pem_file: Place = ""
    secret_file: Place = ""
    """A shared secret for HS256: a file of at least 32 random bytes, and this issuer's only key."""
    keys_max_age_seconds: Annotated[int, Field(ge=300, le=2_592_000)] = 86_400
    """Keys from the web that nobody could confirm for so long verify nothing."""
    ca_file: Place = ""
    """Certificates, in PEM, of the authorities that vouch for the provider's host; default: those of the system."""
    proxy: Annotated[str, AfterValidator(_proxy)] = ""
    """`http://HOST:PORT`, for URLs that stand in this configuration. The environment's proxies are never used."""
    introspection_uri: Web = ""
    """Where to ask about tokens that are no JWT (RFC 7662)."""
    introspection_client_id: Annotated[str, Field(max_length=1_024)] = ""
    introspection_secret_file: Place = ""
    introspection_audience: Literal["required", "trusted"] = "required"
    """`trusted`: an answer without `aud` counts for every server, because the provider answers for its own alone."""

    @property
    def on_the_web(self) -> bool:
        """Say whether anything is fetched for this issuer."""
        return bool(self.jwks_uri or self.discovery or self.introspection_uri)

    @property
    def has_keys(self) -> bool:
        """Say whether the issuer signs its tokens."""
        return any(getattr(self, name) for name in _SOURCES)

    @model_validator(mode="after")
    def _one_source(self) -> "KeySources":
        found = [f"`{name}`" for name in _SOURCES if getattr(self, name)]
        if len(found) > 1 or not (found or self.introspection_uri):
            known = ", ".join(f"`{name}`" for name in _SOURCES[:-1])
            raise ValueError(
                f"one key source is needed, {known} or `{_SOURCES[-1]}`; found {' and '.join(found) or 'none'}"
            )
        return self

    @model_validator(mode="after")
    def _complete(self) -> "KeySources":
        given = {"introspection_client_id", "introspection_secret_file"} & self.model_fields_set
        if self.introspection_uri and len(given) < 2:
            raise ValueError("`introspection_uri` needs `introspection_client_id` and `introspection_secret_file`")
        if (given or "introspection_audience" in self.model_fields_set) and not self.introspection_uri:
            raise ValueError("`introspection_client_id`, `_secret_file` and `_audience` need `introspection_uri`")
        if (self.ca_file or self.proxy) and not self.on_the_web:
            raise ValueError("`ca_file` and `proxy` are for issuers on the web; this one has a file")
        return self
