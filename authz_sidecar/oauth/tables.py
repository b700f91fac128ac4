"""The tables of the authorization server; people's tables stand beside theirs on the same metadata."""

from typing import Final

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, MetaData, String, Table, Text

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Times are seconds since the epoch; lists are words with a space between, or JSON where a word may hold one."""

clients: Final = Table(
    "oauth_clients",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("origin", String(16), nullable=False),
    Column("name", String(255), nullable=False, default=""),
    Column("uri", Text, nullable=False, default=""),
    Column("secret_hash", String(64), nullable=False, default=""),
    Column("auth_method", String(32), nullable=False),
    Column("redirect_uris", Text, nullable=False, default="[]"),
    Column("grant_types", Text, nullable=False, default=""),
    Column("scope", Text, nullable=False, default=""),
    Column("jwks", Text, nullable=False, default=""),
    Column("metadata", Text, nullable=False, default="{}"),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("disabled", Boolean, nullable=False, default=False),
    Index(None, "origin", "expires_at"),
)

grants: Final = Table(
    "oauth_grants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("client_name", String(255), nullable=False, default=""),
    Column("subject", String(255), nullable=False),
    Column("resource", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("auth_time", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", Float, nullable=True),
    Column("revoked_why", String(64), nullable=False, default=""),
    Index(None, "subject", "client_id"),
    Index(None, "expires_at"),
)

codes: Final = Table(
    "oauth_codes",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("grant_id", String(64), ForeignKey("oauth_grants.id", ondelete="CASCADE"), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("redirect_given", Boolean, nullable=False),
    Column("challenge", String(43), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("spent_at", Float, nullable=True),
    Index(None, "grant_id"),
    Index(None, "expires_at"),
)

refresh_tokens: Final = Table(
    "oauth_refresh_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("grant_id", String(64), ForeignKey("oauth_grants.id", ondelete="CASCADE"), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("spent_at", Float, nullable=True),
    Index(None, "grant_id"),
    Index(None, "expires_at"),
)

revoked_tokens: Final = Table(
    "oauth_revoked_tokens",
    metadata,
    Column("jti", String(64), primary_key=True),
    Column("expires_at", Float, nullable=False),
    Index(None, "expires_at"),
)

assertions: Final = Table(
    "oauth_assertions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("expires_at", Float, nullable=False),
    Index(None, "expires_at"),
)

outbox: Final = Table(
    "oauth_outbox",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("target", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("value", Text, nullable=False),
    Column("issued_before", Float, nullable=True),
    Column("ends", Float, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Index(None, "target", "created_at"),
)
