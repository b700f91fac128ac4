"""The knobs of an issuer: whose tokens are accepted, and how their claims become names."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from authz_sidecar.keysources import KeySources
from authz_sidecar.section import a_name
from authz_sidecar.tokens import presets, urls

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256"
]  # fmt: skip


class Issuer(KeySources):
    """Who may say who somebody is, and by which keys."""

    preset: presets.Name | None = None
    """Fills what follows for a well-known provider; a key that is given wins, and `config check --show` tells all."""
    alias: str
    issuer: Annotated[str, Field(min_length=1, max_length=1_024)]
    """Compared byte by byte with the token's `iss`."""
    algorithms: tuple[Algorithm, ...] = Field(default=(), min_length=1)
    """Needed with any key source; tokens that are asked about have no signature."""
    user_claim: Annotated[str, Field(min_length=1)] = "sub"
    roles_claim: str | tuple[str, ...] = ""
    groups_claim: str | tuple[str, ...] = ""
    """One claim or several, nested by dots: `realm_access.roles`, `resource_access."my.client".roles`."""
    family_claim: str = ""
    """The claim that names the grant a token came from (`sid`, `grant_id`): what `revoke --family` looks at."""
    leeway_seconds: Annotated[int, Field(ge=0, le=300)] = 30
    required_claims: tuple[str, ...] = ()
    required_values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Claims that must have one of these values, for example `hd = "example.com"`."""
    optional_claims: tuple[str, ...] = ()
    """Mapped claims that the provider leaves out when there are no roles or groups; others must be there."""
    condition_claims: tuple[str, ...] = ()
    """Claims that conditions may look at: `claims.department`, and `claims["realm_access.roles"]` for a nested one."""
    client_tokens: Literal["subject", "auth0", "entra", "keycloak"] = "subject"
    """How a token says that a client got it for itself; `subject`: `sub` is the client (RFC 9068)."""
    token_types: tuple[str, ...] = ("at+jwt", "JWT", "")
    """Accepted `typ` headers, compared without case; `""` stands for none."""
    development: bool = False
    """The keys are for development: said at start and in every decision, and confined to loopback."""

    _alias = field_validator("alias")(a_name)

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: object) -> object:
        return presets.expand(given) if isinstance(given, dict) else given

    @field_validator(
        "algorithms",
        "required_claims",
        "optional_claims",
        "condition_claims",
        "token_types",
        "roles_claim",
        "groups_claim",
        mode="before",
    )
    @classmethod
    def _tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("required_values", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        several = {key: (item,) if isinstance(item, str) else item for key, item in value.items()}
        return {key: tuple(item) if isinstance(item, list) else item for key, item in several.items()}

    @model_validator(mode="after")
    def _fitting(self) -> "Issuer":
        if self.has_keys and not self.algorithms:
            raise ValueError("`algorithms` is missing; list those that the issuer signs with")
        if isinstance(self.discovery, bool) and self.discovery:
            try:
                urls.written(self.issuer)
            except ValueError as error:
                raise ValueError(f"`discovery = true` begins at `issuer`, which {error}") from None
        if ("HS256" in self.algorithms) != bool(self.secret_file):
            raise ValueError("`HS256` and `secret_file` go together: a public key is never a shared secret")
        if self.secret_file and self.algorithms != ("HS256",):
            raise ValueError("a shared secret is an issuer's only key, so `algorithms` must be `HS256` alone")
        return self
