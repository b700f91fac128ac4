"""A token is verified, or its reason told."""

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Principal, RawToken, Reason
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import NOW, SERVER, Clock, issuer


async def verified(text: str, by: Issuer | None = None, now: float = NOW) -> Principal:
    return await JwtVerifier([by or issuer()], clock=Clock(now)).verify(RawToken(text), SERVER)


async def refusal(text: str, by: Issuer | None = None, now: float = NOW) -> Reason:
    with pytest.raises(TokenError) as caught:
        await verified(text, by, now)
    return caught.value.reason
