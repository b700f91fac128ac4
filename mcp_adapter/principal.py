"""Who is calling: the verified caller, read from the request's own scope."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, cast

SCOPE_KEY: Final = "authz.principal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller whose token the sidecar verified. `subject` is unique only together with `issuer`."""

    issuer: str
    subject: str
    client_id: str = ""
    actor: str = ""
    """Who acts for the subject (the outermost `act`, RFC 8693 section 4.1)."""
    subjects: tuple[str, ...] = ()
    """The names under which the policy knows the caller, sorted."""
    scopes: tuple[str, ...] = ()
    token_id: str = ""


_piped: Final[ContextVar[Principal | None]] = ContextVar("mcp_adapter.piped", default=None)


@contextmanager
def piped(principal: Principal | None) -> Iterator[None]:
    """Let `current_principal` know the caller of one message that no HTTP request carries, while it is handled."""
    token = _piped.set(principal)
    try:
        yield
    finally:
        _piped.reset(token)


def current_principal(source: object) -> Principal:
    """Give the verified caller of an MCP SDK context, a request, or an ASGI scope.

    Over HTTP it reads the scope of this very request and never a context variable: on mcp 1.x that holds the first
    caller of the session, not this one. Raises `LookupError` when nobody was verified.
    """
    scope = _scope(source)
    if scope is None and (caller := _piped.get()) is not None:
        return caller
    if scope is None:
        raise LookupError(
            f"no request in `{type(source).__name__}`: pass the tool's `Context`, a request, or an ASGI scope"
        )
    if SCOPE_KEY not in scope:
        raise LookupError("this request did not pass AuthzMiddleware: wrap the app that serves it")
    principal = scope[SCOPE_KEY]
    if not isinstance(principal, Principal):
        raise LookupError(
            "nobody was verified for this request: the server is in observe mode and the token was missing or not good"
        )
    return principal


def _scope(source: object) -> Mapping[str, object] | None:
    for candidate in (source, _follow(source, "request_context", "request"), _follow(source, "request")):
        if isinstance(candidate, Mapping):
            # An ASGI request is a mapping too (Starlette's), and its keys are those of its scope.
            return cast("Mapping[str, object]", candidate)
        scope = getattr(candidate, "scope", None)
        if isinstance(scope, Mapping):
            return cast("Mapping[str, object]", scope)
    return None


def _follow(source: object, *names: str) -> object:
    for name in names:
        try:
            source = getattr(source, name, None)
        except ValueError:  # the SDK's way to say that there is no request
            return None
    return source
