"""What the core needs of the people's part: somebody who asks a person, and who knows whether they still count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from authz_sidecar.oauth.authorize import AuthorizationRequest
from authz_sidecar.oauth.errors import RequestRefused, UnsafeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What tokens say about a person."""

    subject: str
    """What `sub` says, for ever; never given to another."""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Directory(Protocol):
    """Knows the people."""

    async def person(self, subject: str) -> Person | None:
        """Give somebody whose tokens may be issued and refreshed now; None when disabled, or gone."""
        ...


class Door(Directory, Protocol):
    """Speaks with people."""

    async def ask(self, http: Request, request: AuthorizationRequest) -> Response:
        """Answer an authorization request: a page, or the redirect of `issue_code` or `refuse`."""
        ...

    async def astray(self, http: Request, refusal: RequestRefused) -> Response:
        """Say no to a request whose client is a stranger with a website: the person decides whether to go there."""
        ...

    def unavailable(self, http: Request) -> Response:
        """Say to a browser that the database does not answer, without asking it for anything."""
        ...

    async def unsafe(self, http: Request, error: UnsafeRequest) -> Response:
        """Show that a request cannot be answered; status 400, and no link or redirect out of it."""
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """Give the pages of people; their paths begin with the path of the issuer."""
        ...
