"""What fetching over HTTP gives, and what can go wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from authz_sidecar.tokens.urls import Url


class Outcome(StrEnum):
    """What became of a fetch; a label of `authz_key_fetches_total`. Add, never rename."""

    BAD_CONTENT = "bad_content"
    BAD_STATUS = "bad_status"
    FAILED = "failed"
    FETCHED = "fetched"
    FORBIDDEN = "forbidden"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    UNCHANGED = "unchanged"
    UNREACHABLE = "unreachable"
    WRONG_ISSUER = "wrong_issuer"


class FetchFailed(Exception):
    """Nothing usable was fetched; the message is for the operator and quotes no body."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        """Take the word for the metric and the sentence for the log."""
        super().__init__(detail)
        self.outcome = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer with the status 200 or 304."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)
    certificate_ends: float | None = None
    """When the certificate of the other side ends, in seconds since the epoch; None without TLS."""


class Get(Protocol):
    """Fetches one page."""

    async def get(self, url: Url, *, foreign: bool = False, etag: str = "") -> Page:
        """Fetch it, or raise `FetchFailed`; with `etag` the answer may be 304.

        `foreign` says that a document, not the operator, named the URL: the guard applies.
        """
        ...
