"""Access tokens: JWTs of RFC 9068 that live ten minutes at most, and what we ourselves say of one."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from authz_sidecar.oauth.door import Person
from authz_sidecar.oauth.errors import InvalidGrant
from authz_sidecar.oauth.grants import Grants
from authz_sidecar.oauth.keyring import Keyring
from authz_sidecar.oauth.outbox import Outbox
from authz_sidecar.oauth.settings import Settings
from authz_sidecar.oauth.store import Store
from authz_sidecar.oauth.tables import grants as grants_table
from authz_sidecar.oauth.tables import revoked_tokens
from authz_sidecar.ports import Clock
from authz_sidecar.revocation import Kind

FAMILY: Final = "grant_id"
"""The claim that names the grant: `family_claim` of the issuer in the sidecar's configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """An access token that was just signed."""

    token: str = field(repr=False)
    seconds: int
    scopes: tuple[str, ...]

    def answer(self, refresh_token: str | None = None) -> dict[str, object]:
        """Spell it as a token response (RFC 6749 section 5.1)."""
        told: dict[str, object] = {"access_token": self.token, "token_type": "Bearer", "expires_in": self.seconds}
        if refresh_token is not None:
            told["refresh_token"] = refresh_token
        return told | {"scope": " ".join(self.scopes)}


class AccessTokens:
    """Signs access tokens, reads them again, and revokes single ones."""

    def __init__(
        self, *, settings: Settings, keyring: Keyring, grants: Grants, store: Store, outbox: Outbox, clock: Clock
    ) -> None:
        """Take what signs, and who knows what was revoked."""
        self._settings = settings
        self._keyring = keyring
        self._grants = grants
        self._store = store
        self._outbox = outbox
        self._clock = clock

    def issue(
        self,
        *,
        client_id: str,
        resource: str,
        scopes: Iterable[str],
        person: Person | None = None,
        grant_id: str | None = None,
        auth_time: float | None = None,
    ) -> Issued:
        """Sign a token for one resource: of a person, or of the client itself when there is none.

        Raises `InvalidGrant` for a person who is called like the client: readers would take them for it.
        """
        if person is not None and person.subject == client_id:
            raise InvalidGrant("this person cannot use this client", log="a person and a client have the same name")
        now, names, jti = int(self._clock()), tuple(scopes), secrets.token_urlsafe(16)
        claims: dict[str, object] = {
            "iss": self._settings.issuer,
            # RFC 9068 section 2.2: for itself, a client is the subject.
            "sub": client_id if person is None else person.subject,
            "aud": resource,
            "client_id": client_id,
            "iat": now,
            "exp": now + self._settings.access_seconds,
            "jti": jti,
            "scope": " ".join(names),
            FAMILY: grant_id or jti,
            # There even when empty: a reader tells nobody's roles from roles that were left out.
            "roles": [] if person is None else list(person.roles),
            "groups": [] if person is None else list(person.groups),
        }
        if auth_time is not None:
            claims["auth_time"] = int(auth_time)
        return Issued(token=self._keyring.sign(claims), seconds=self._settings.access_seconds, scopes=names)

    def signed(self, token: str) -> Mapping[str, Any] | None:
        """Give the claims of a token that we signed and that has not ended, revoked or not; None for anything else."""
        return self._keyring.read(token, issuer=self._settings.issuer)

    async def active(self, token: str) -> Mapping[str, Any] | None:
        """Give the claims of a token that counts now; None for anything else."""
        claims = self.signed(token)
        if claims is None:
            return None
        async with self._store.read() as db:
            dead = select(revoked_tokens.c.jti).where(revoked_tokens.c.jti == str(claims["jti"]))
            if (await db.execute(dead)).one_or_none() is not None:
                return None
            # A token of a client has no grant; a grant stays known for longer than its last token lives.
            family = select(grants_table.c.revoked_at).where(grants_table.c.id == str(claims.get(FAMILY)))
            grant = (await db.execute(family)).one_or_none()
        return None if grant is not None and grant.revoked_at is not None else claims

    async def revoke(self, claims: Mapping[str, Any]) -> None:
        """Revoke one token alone, and tell the sidecars."""
        jti, ends = str(claims["jti"]), float(claims["exp"])
        try:
            async with self._store.write() as db:
                await db.execute(insert(revoked_tokens).values(jti=jti, expires_at=ends))
                await self._outbox.add(db, kind=Kind.TOKEN, value=jti, ends=ends, reason="revoked_by_client")
        except IntegrityError:
            return  # it is revoked already
        await self._outbox.flush()
