"""Tokens as identity providers document them: header and claims, each with where its shape comes from.

Names and ids are invented; times stand round `makers.NOW`.
"""

from typing import Any, Final

from tests.tokens.makers import AUDIENCE, NOW

Shape = tuple[dict[str, Any], dict[str, Any]]

TENANT: Final = "8d5b6c1a-3f7e-4b0e-9c59-0d2f6a7e4b11"
API: Final = "5f0c2e9b-7a41-4d0f-8a52-6f6f0b7f9c33"
OID: Final = "0c9a6f2e-4d35-4f4b-a1c8-3b2d7e6f5a44"
TIMES: Final = {"iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 3600}
LIFE: Final = {"iat": NOW - 10, "exp": NOW + 300}


def keycloak(**changes: Any) -> Shape:
    """Keycloak 26, an access token by the authorization code: Server Administration Guide, "Client scopes"; the claims
    are those of the built-in scopes `basic`, `acr`, `roles`, `web-origins`, `profile` and `email`."""
    return {"alg": "RS256", "typ": "JWT", "kid": "rs256-1"}, {
        **LIFE,
        "auth_time": NOW - 30,
        "jti": "onrtac:7d3b1c52-41b6-5b6f-9b0e-2f1d3c4b5a69",
        "iss": "https://sso.example/realms/corp",
        "aud": [AUDIENCE, "account"],
        "sub": "f3b1c9d2-6a5e-4f0b-8c7d-9e1a2b3c4d5e",
        "typ": "Bearer",
        "azp": "mcp-inspector",
        "sid": "6f0e8f1c-9b1d-4c55-b0ce-5f5f6a8a1a2b",
        "acr": "1",
        "allowed-origins": ["http://localhost:6274"],
        "realm_access": {"roles": ["default-roles-corp", "offline_access", "support"]},
        "resource_access": {
            "ops.assistant": {"roles": ["ticket-writer"]},
            "account": {"roles": ["manage-account", "view-profile"]},
        },
        "scope": "openid profile email tickets:write",
        "email_verified": True,
        "name": "Alice Example",
        "preferred_username": "alice",
        "given_name": "Alice",
        "family_name": "Example",
        "email": "alice@corp.example",
    } | changes


def keycloak_service(**changes: Any) -> Shape:
    """Keycloak 26, client credentials: "Using a service account"; the scope `service_account` adds `client_id`,
    `clientHost` and `clientAddress`, and the user is `service-account-` and the client."""
    header, claims = keycloak()
    for name in ("sid", "email", "name", "given_name", "family_name", "auth_time"):
        del claims[name]
    return header, claims | {
        "sub": "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
        "azp": "nightly",
        "preferred_username": "service-account-nightly",
        "client_id": "nightly",
        "clientHost": "10.0.0.7",
        "clientAddress": "10.0.0.7",
        "email_verified": False,
    } | changes


def entra_v2(**changes: Any) -> Shape:
    """Microsoft identity platform, "Access token claims reference", version 2.0, delegated (there is a user)."""
    return {"typ": "JWT", "alg": "RS256", "kid": "rs256-1"}, {
        **TIMES,
        "aud": API,
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "aio": "AXQAi/8TAAAA",
        "azp": "b1d2c3e4-0000-4a5b-8c6d-7e8f9a0b1c2d",
        "azpacr": "0",
        "name": "Alice Example",
        "oid": OID,
        "preferred_username": "alice@corp.example",
        "rh": "0.AXkA",
        "roles": ["support"],
        "scp": "tickets.read tickets.write",
        "sid": "00b1c2d3-e4f5-4061-8273-94a5b6c7d8e9",
        "sub": "Zm9vYmFyLXBhaXJ3aXNlLXN1YmplY3QtMDAwMDAwMDA",
        "tid": TENANT,
        "uti": "bGlrZS1hLWp0aQ",
        "ver": "2.0",
        "xms_ftd": "x",
    } | changes


def entra_v1(**changes: Any) -> Shape:
    """The same reference, version 1.0: what an API gets whose manifest says no `requestedAccessTokenVersion: 2`."""
    header, claims = entra_v2()
    for name in ("azp", "azpacr", "preferred_username"):
        del claims[name]
    return header | {"x5t": "rs256-1"}, claims | {
        "aud": f"api://{API}",
        "iss": f"https://sts.windows.net/{TENANT}/",
        "acr": "1",
        "amr": ["pwd", "mfa"],
        "appid": "b1d2c3e4-0000-4a5b-8c6d-7e8f9a0b1c2d",
        "appidacr": "0",
        "ipaddr": "192.0.2.7",
        "unique_name": "alice@corp.example",
        "upn": "alice@corp.example",
        "ver": "1.0",
    } | changes


def entra_app(**changes: Any) -> Shape:
    """The same reference, client credentials: no `scp`, application permissions in `roles`, `sub` is the `oid`."""
    header, claims = entra_v2()
    for name in ("scp", "sid", "name", "preferred_username"):
        del claims[name]
    app = "d4c3b2a1-5e6f-4708-9182-93a4b5c6d7e8"
    return header, claims | {"azpacr": "1", "oid": app, "sub": app, "roles": ["Tickets.Read.All"]} | changes


def entra_id(**changes: Any) -> Shape:
    """ "ID token claims reference", version 2.0: an app that signs in to itself has the API's own id as `aud`."""
    header, claims = entra_v2()
    for name in ("scp", "azp", "azpacr", "xms_ftd"):
        del claims[name]
    return header, claims | {"nonce": "678910", "email": "alice@corp.example"} | changes


def auth0(**changes: Any) -> Shape:
    """Auth0, "Access Token Profiles", the auth0 dialect; the role claim is added by an Action, "Create Custom Claims"
    (a name of its own, a URL)."""
    return {"alg": "RS256", "typ": "JWT", "kid": "rs256-1"}, {
        **LIFE,
        "https://corp.example/roles": ["support"],
        "iss": "https://corp.eu.auth0.com/",
        "sub": "auth0|66f2a1b2c3d4e5f60718293a",
        "aud": [AUDIENCE, "https://corp.eu.auth0.com/userinfo"],
        "scope": "openid profile tickets:write",
        "azp": "kL9mN8oP7qR6sT5uV4wX3yZ2",
        "permissions": ["tickets:write"],
    } | changes


def auth0_rfc9068(**changes: Any) -> Shape:
    """The same page, the RFC 9068 dialect: `typ: at+jwt`, `client_id` and `jti`, no `azp`."""
    header, claims = auth0()
    del claims["azp"]
    return header | {"typ": "at+jwt"}, claims | {"client_id": "kL9mN8oP7qR6sT5uV4wX3yZ2", "jti": "Yx1"} | changes


def auth0_machine(**changes: Any) -> Shape:
    """Auth0, client credentials: `sub` is the client and `@clients`, `gty` says how."""
    header, claims = auth0()
    del claims["permissions"]
    return header, claims | {
        "sub": "kL9mN8oP7qR6sT5uV4wX3yZ2@clients",
        "aud": AUDIENCE,
        "scope": "tickets:read",
        "gty": "client-credentials",
    } | changes


def okta(**changes: Any) -> Shape:
    """Okta, "OpenID Connect & OAuth 2.0 API", access token of a custom authorization server, with a groups claim as in
    "Customize tokens returned from Okta"."""
    return {"kid": "rs256-1", "alg": "RS256"}, {
        **LIFE,
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "iss": "https://corp.okta.com/oauth2/default",
        "aud": AUDIENCE,
        "cid": "0oa9z8y7x6w5v4u3t2s1",
        "uid": "00u1a2b3c4d5e6f7g8h9",
        "scp": ["openid", "tickets:write"],
        "auth_time": NOW - 60,
        "sub": "alice@corp.example",
        "groups": ["Support", "Everyone"],
    } | changes


def okta_service(**changes: Any) -> Shape:
    """The same, client credentials: `sub` is the client, and there is no `uid`; a groups claim has no groups."""
    header, claims = okta()
    del claims["uid"], claims["auth_time"], claims["groups"]
    return header, claims | {"sub": "0oa9z8y7x6w5v4u3t2s1", "scp": ["tickets:read"]} | changes


def okta_id(**changes: Any) -> Shape:
    """The same page, an ID token: `aud` is the client, and there is no `cid`."""
    header, claims = okta()
    for name in ("cid", "uid", "scp"):
        del claims[name]
    return header, claims | {"amr": ["pwd"], "idp": "00o1", "at_hash": "a", "name": "Alice"} | changes


def google(**changes: Any) -> Shape:
    """Google Identity, "OpenID Connect", an ID token's payload of a Workspace account."""
    return {"alg": "RS256", "kid": "rs256-1", "typ": "JWT"}, {
        **LIFE,
        "iss": "https://accounts.google.com",
        "azp": "1234987819200.apps.googleusercontent.com",
        "aud": "1234987819200.apps.googleusercontent.com",
        "sub": "10769150350006150715113082367",
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        "hd": "corp.example",
        "email": "alice@corp.example",
        "email_verified": True,
        "nonce": "0394852-3190485-2490358",
        "name": "Alice Example",
        "picture": "https://pictures.example/alice.png",
    } | changes


def authz(**changes: Any) -> Shape:
    """RFC 9068 section 2.2 with RFC 8707's resource as `aud`."""
    return {"alg": "RS256", "typ": "at+jwt", "kid": "rs256-1"}, {
        **LIFE,
        "iss": "https://auth.corp.example",
        "sub": "alice",
        "aud": AUDIENCE,
        "client_id": "https://inspector.example/client.json",
        "jti": "01J9",
        "scope": "tickets:write",
    } | changes
