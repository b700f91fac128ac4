"""Where an issuer says where its keys are: OpenID Connect Discovery 1.0 and RFC 8414."""

from authz_sidecar import strictjson
from authz_sidecar.tokens.pages import FetchFailed, Outcome
from authz_sidecar.tokens.urls import Url, parse

_OPENID = "/.well-known/openid-configuration"
_OAUTH = "/.well-known/oauth-authorization-server"


def candidates(issuer: Url) -> tuple[Url, ...]:
    """Give the places to look, in order: appended (OpenID Connect), inserted (RFC 8414 section 3.1), inserted (5)."""
    path = issuer.path.rstrip("/")
    targets = dict.fromkeys((f"{path}{_OPENID}", f"{_OAUTH}{path}", f"{_OPENID}{path}"))
    return tuple(Url(origin=issuer.origin, target=target) for target in targets)


def jwks_uri(body: bytes, issuer: str) -> Url:
    """Read the document, or raise `FetchFailed`.

    Its `issuer` must be the configured one byte for byte, or another issuer on the same host could speak for this one
    (RFC 8414 section 3.3).
    """
    try:
        document = strictjson.loads(body, max_depth=16)
    except strictjson.StrictJsonError as error:
        raise FetchFailed(Outcome.BAD_CONTENT, str(error)) from None
    if not isinstance(document, dict):
        raise FetchFailed(Outcome.BAD_CONTENT, "is not a JSON object")
    if document.get("issuer") != issuer:
        raise FetchFailed(Outcome.WRONG_ISSUER, f"names another issuer than `{issuer}`; write it exactly as there")
    where = document.get("jwks_uri")
    if not isinstance(where, str):
        raise FetchFailed(Outcome.BAD_CONTENT, "has no `jwks_uri`; configure `jwks_uri` instead of `discovery`")
    try:
        return parse(where)
    except ValueError as error:
        raise FetchFailed(Outcome.BAD_CONTENT, f"has a `jwks_uri` that {error}") from None
