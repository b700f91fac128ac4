"""Configurations with one issuer of a preset."""

from typing import Any

from authz_sidecar.config import Config
from tests.tokens.makers import AUDIENCE
from tests.tokens.provider_tokens import API, TENANT

ISSUERS: dict[str, dict[str, Any]] = {
    "keycloak": {"issuer": "https://sso.example/realms/corp"},
    "entra": {"issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0"},
    "entra-v1": {"preset": "entra", "issuer": f"https://sts.windows.net/{TENANT}/"},
    "auth0": {"issuer": "https://corp.eu.auth0.com/"},
    "okta": {"issuer": "https://corp.okta.com/oauth2/default"},
    "google": {"required_values": {"hd": "corp.example"}},
    "authz": {"issuer": "https://auth.corp.example"},
}
AUDIENCES = {"entra": API, "entra-v1": f"api://{API}", "google": "1234987819200.apps.googleusercontent.com"}


def configured(name: str, **changes: Any) -> Config:
    """A configuration with one issuer of this preset, and the override of the audience that the provider needs."""
    issuer = {"alias": "idp", "preset": name, "jwks_file": "jwks.json", **ISSUERS[name], **changes}
    audiences = {"idp": AUDIENCES[name]} if name in AUDIENCES else {}
    servers = [{"name": "ops", "audience": AUDIENCE, "audiences": audiences}]
    return Config.model_validate({"issuers": [issuer], "servers": servers})
