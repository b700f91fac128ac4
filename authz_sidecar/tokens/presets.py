"""What the access tokens of well-known identity providers look like, as values of an issuer's configuration."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

Name = Literal["auth0", "authz", "entra", "google", "keycloak", "okta"]
"""What `preset` may be."""

Values = Mapping[str, object]

NAMES: Final[tuple[str, ...]] = get_args(Name)

_COMMON: Final[Values] = {
    "algorithms": ["RS256"],
    "user_claim": "sub",
    "roles_claim": "",
    "groups_claim": "",
    "leeway_seconds": 30,
    "required_claims": [],
    "required_values": {},
    "optional_claims": [],
    "token_types": ["at+jwt", "JWT", ""],
    "client_tokens": "subject",
}
_PRESETS: Final[Mapping[str, Values]] = {
    # Auth0 docs, "Access Token Profiles": its own dialect has `azp` and `typ: JWT`, the RFC 9068 one `client_id` and
    # `typ: at+jwt`. Roles come only through an Action that adds a namespaced claim, whose name nobody can guess.
    "auth0": {"token_types": ["at+jwt", "JWT"], "client_tokens": "auth0"},
    # Our own authorization server: RFC 9068 section 2.2 in full.
    "authz": {
        "algorithms": ["ES256", "EdDSA", "RS256"],
        "required_claims": ["client_id", "iat", "jti"],
        "token_types": ["at+jwt"],
    },
    # Microsoft identity platform, "Access token claims reference". `sub` differs from client to client; `oid` is the
    # one immutable name of a user in a tenant. `azp` (v1: `appid`) is what an ID token of the same app does not have.
    "entra": {
        "user_claim": "oid",
        "roles_claim": "roles",
        "token_types": ["JWT"],
        "client_tokens": "entra",
    },
    # Google has no access tokens that others could verify: these are ID tokens (Google Identity, "Validate an ID
    # token"). `hd` says that the account is a company's own; Google vouches for its address then.
    "google": {
        "issuer": "https://accounts.google.com",
        "user_claim": "email",
        "required_claims": ["azp", "hd"],
        "token_types": ["JWT", "id_token"],
    },
    # Keycloak, "Server Administration Guide", client scopes. `sub` is a UUID; the user name is unique in its realm.
    "keycloak": {
        "user_claim": "preferred_username",
        "roles_claim": "realm_access.roles",
        "required_claims": ["azp", "typ"],
        "token_types": ["JWT", "at+jwt"],
        "client_tokens": "keycloak",
    },
    # Okta, "API Access Management": tokens of a custom authorization server, which have no `typ` header; `cid` is what
    # its ID tokens do not have. `groups` is there once a claim of that name is added.
    "okta": {"groups_claim": "groups", "required_claims": ["cid"]},
}

AUDIENCE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "auth0": "the identifier of the API",
        "authz": "the URL of the MCP server, which clients send as `resource`",
        "entra": "the application ID of the API (v2.0), or its application ID URI (v1.0)",
        "google": "the OAuth client ID, as an override in the server's `audiences`",
        "keycloak": "what the client scope's Audience mapper adds; without one it is `account`",
        "okta": "the audience of the custom authorization server",
    }
)
"""What a provider puts into `aud`, for people."""

_SOURCES: Final = ("jwks_uri", "discovery", "jwks_file", "pem_file", "secret_file", "introspection_uri")
_TENANT: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ENTRA: Final = re.compile(
    rf"https://(?P<v2>login\.microsoftonline\.(com|us)|login\.partner\.microsoftonline\.cn)/{_TENANT}/v2\.0"
    rf"|https://sts\.(windows\.net|chinacloudapi\.cn)/{_TENANT}/"
)
# One pattern and one sentence for each provider whose `iss` has a form that is easily got wrong.
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "auth0": (re.compile(r"https://[^/]+/"), "`https://DOMAIN/`, with the slash"),
    "entra": (
        _ENTRA,
        "`https://login.microsoftonline.com/TENANT-ID/v2.0` or, for version 1.0, `https://sts.windows.net/TENANT-ID/`",
    ),
    "google": (re.compile(r"https://accounts\.google\.com"), "`https://accounts.google.com`"),
    "keycloak": (re.compile(r"https?://.+/realms/[^/]+"), "`https://HOST/realms/REALM`, without a slash at the end"),
    "okta": (
        re.compile(r"https://[^/]+/oauth2/[^/]+"),
        "`https://DOMAIN/oauth2/default`; tokens of the org authorization server are for Okta alone",
    ),
}
# Names that a user or an administrator can change and give to somebody else.
_MUTABLE: Final[Mapping[str, frozenset[str]]] = {
    "entra": frozenset({"preferred_username", "upn", "unique_name", "email", "name"}),
    "okta": frozenset({"email", "name", "preferred_username"}),
    "auth0": frozenset({"nickname", "name"}),
    "keycloak": frozenset({"name"}),
    "google": frozenset({"name"}),
}


def expand(given: Values) -> dict[str, object]:
    """Fill an issuer's configuration by its `preset`; a key that is given wins, even when it is empty.

    Without a preset, or with one that does not exist, nothing is changed. Raises `ValueError` for what such a
    provider's tokens could never be, with what to do.
    """
    name = given.get("preset")
    if not isinstance(name, str) or name not in _PRESETS:
        return dict(given)
    issuer = given.get("issuer", _PRESETS[name].get("issuer"))
    values = filled(name, issuer)
    if not isinstance(issuer, str):
        return values | dict(given)
    if name in _FORMS and not _FORMS[name][0].fullmatch(issuer):
        raise ValueError(f"`{issuer}` is not what tokens of `{name}` have in `iss`; expected {_FORMS[name][1]}")
    # Whoever has a Google account could be somebody; a row for `*` would let them all in.
    if name == "google" and "required_claims" not in given and not _names_hd(given):
        raise ValueError(
            'the preset `google` needs your domain, `required_values = { hd = "example.com" }`; '
            "to accept any Google account, say `required_claims = []`"
        )
    if not any(given.get(source) for source in _SOURCES):
        values["discovery"] = True  # each of them publishes its metadata at the well-known place
    return values | dict(given)


def filled(name: str, issuer: object) -> dict[str, object]:
    """Give the values of a preset that exists, for this issuer."""
    values = {**_COMMON, **_PRESETS[name]}
    if name == "entra":
        found = _ENTRA.fullmatch(issuer) if isinstance(issuer, str) else None
        values["required_claims"] = ["azp" if found and found["v2"] else "appid", "oid", "tid"]
    return values


def _names_hd(given: Values) -> bool:
    values = given.get("required_values")
    return isinstance(values, Mapping) and "hd" in values


def remarks(issuer: Values) -> tuple[str, ...]:
    """Say what is legal but deserves a look in an expanded configuration."""
    name, user = str(issuer.get("preset", "")), str(issuer.get("user_claim", ""))
    found = []
    if user in _MUTABLE.get(name, frozenset()):
        found.append(f"`{user}` of `{name}` can change and be given to somebody else; a name in a policy should not")
    if name == "entra" and issuer.get("groups_claim"):
        found.append(
            "`entra` leaves groups out beyond 200 of them, and refuses such users here; app roles have no limit"
        )
    return tuple(found)
