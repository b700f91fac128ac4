"""An attack with the setting that it needs: issuers and their keys, a server, a token that the cache knows."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from authz_sidecar.errors import ConfigError, TokenError
from authz_sidecar.model import RawToken, Reason, Server
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import (
    SERVER,
    Clock,
    issuer,
    token,
)

NO_START = "no start"
"""The setting itself is refused."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A token that is refused in a setting."""

    words: str
    reason: Reason | str
    make: Callable[[], str] = token
    issuers: Callable[[], list[Issuer]] = field(default=lambda: [issuer()])
    server: Server = SERVER
    before: Callable[[], str] | None = None
    """A good token that the cache knows."""
    says: str = ""
    """A word of the message, where several checks would refuse."""
    wait: float = 0.0
    """Seconds between the good one and this."""


async def refuse(attack: Attack) -> None:
    """Run an attack; `AssertionError` when it is not refused for its reason."""
    clock = Clock()
    if attack.reason is NO_START:
        with pytest.raises(ConfigError) as refused:
            JwtVerifier(attack.issuers(), clock=clock)
        assert attack.says in str(refused.value)
        return
    verifier = JwtVerifier(attack.issuers(), clock=clock)
    if attack.before is not None:
        assert await verifier.verify(RawToken(attack.before()), SERVER)
        clock.now += attack.wait
    for _ in range(2):
        with pytest.raises(TokenError) as caught:
            await verifier.verify(RawToken(attack.make()), attack.server)
        assert caught.value.reason is attack.reason, caught.value
