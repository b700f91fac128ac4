"""What an endpoint answers when it says no: one class for each word of the RFCs."""

from typing import ClassVar


class OAuthError(Exception):
    """`code` and `hint` reach the client; `str(exc)` is for our log alone."""

    code: ClassVar[str] = "server_error"
    status: ClassVar[int] = 400

    def __init__(self, hint: str, *, log: str = "") -> None:
        """Take what the client should mend, in ASCII without quotes (RFC 6749 section 5.2), and what we log."""
        super().__init__(log or hint)
        self.hint = hint


class InvalidRequest(OAuthError):
    """RFC 6749 section 5.2: a parameter is missing, repeated or malformed."""

    code = "invalid_request"


class InvalidClient(OAuthError):
    """RFC 6749 section 5.2: nobody knows the client, or it did not prove who it is."""

    code = "invalid_client"
    status = 401

    def __init__(self, hint: str = "client authentication failed", *, log: str = "", basic: bool = False) -> None:
        """`basic` says that the client tried the Authorization header, so that the answer must carry a challenge."""
        super().__init__(hint, log=log)
        self.basic = basic


class InvalidGrant(OAuthError):
    """RFC 6749 section 5.2: the code, refresh token or assertion does not count."""

    code = "invalid_grant"


class UnauthorizedClient(OAuthError):
    """RFC 6749 section 5.2: this client may not do it this way."""

    code = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """RFC 6749 section 5.2: no such grant here."""

    code = "unsupported_grant_type"


class UnsupportedResponseType(OAuthError):
    """RFC 6749 section 4.1.2.1: only `code` is answered."""

    code = "unsupported_response_type"


class InvalidScope(OAuthError):
    """RFC 6749 section 5.2: a scope that does not exist here, or more than was granted."""

    code = "invalid_scope"


class InvalidTarget(OAuthError):
    """RFC 8707 section 2: no such resource here, or not the one that was granted."""

    code = "invalid_target"


class AccessDenied(OAuthError):
    """RFC 6749 section 4.1.2.1: the person, or we, said no."""

    code = "access_denied"


class LoginRequired(OAuthError):
    """OpenID Connect Core section 3.1.2.6: `prompt=none`, and nobody is logged in."""

    code = "login_required"


class ConsentRequired(OAuthError):
    """OpenID Connect Core section 3.1.2.6: `prompt=none`, and the person has to be asked."""

    code = "consent_required"


class InvalidRedirectUri(OAuthError):
    """RFC 7591 section 3.2.2: a redirect URI that may not be registered."""

    code = "invalid_redirect_uri"


class InvalidClientMetadata(OAuthError):
    """RFC 7591 section 3.2.2: anything else in a registration."""

    code = "invalid_client_metadata"


class SlowDown(OAuthError):
    """Too many requests from one address."""

    code = "temporarily_unavailable"
    status = 429


class UnsafeRequest(Exception):
    """An authorization request whose client or redirect URI is not to be trusted: show a page, never redirect.

    `str(exc)` may stand on the page: it holds no byte of the request. `word` names the same sentence for people.
    """

    def __init__(self, message: str, *, word: str) -> None:
        """Take what is wrong: `client_missing`, `client_unknown`, `redirect`, `repeated` or `unreadable`."""
        super().__init__(message)
        self.word = word


class RequestRefused(Exception):
    """An authorization request that is refused by a redirect to its own client."""

    def __init__(self, location: str, error: OAuthError, *, trusted: bool) -> None:
        """Take the whole URL (with `error`, `state` and `iss`), why, and whether a browser may follow it unasked."""
        super().__init__(f"{error.code}: {error}")
        self.location = location
        self.error = error
        self.trusted = trusted
