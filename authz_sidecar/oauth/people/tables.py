"""The tables of people: accounts, their sessions in browsers, and what they agreed to."""

from typing import Final

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, String, Table, Text

from authz_sidecar.oauth.tables import metadata

accounts: Final = Table(
    "people_accounts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("shown", String(128), nullable=False, default=""),
    Column("password", Text, nullable=False),
    Column("roles", Text, nullable=False, default=""),
    Column("groups", Text, nullable=False, default=""),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    Column("password_at", Float, nullable=False),
)

sessions: Final = Table(
    "people_sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("account", String(64), ForeignKey("people_accounts.name", ondelete="CASCADE"), nullable=False),
    Column("browser", String(64), nullable=False, default=""),
    Column("auth_time", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index(None, "account"),
    Index(None, "expires_at"),
)

consents: Final = Table(
    "people_consents",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("account", String(64), ForeignKey("people_accounts.name", ondelete="CASCADE"), nullable=False),
    Column("client_id", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("client_name", String(255), nullable=False, default=""),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Index(None, "account"),
)
