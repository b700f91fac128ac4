"""People's first tables: accounts, sessions and consents."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "people_accounts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.String(length=128), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("password_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_people_accounts")),
    )
    _sessions()
    _consents()


def _sessions() -> None:
    op.create_table(
        "people_sessions",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=64), nullable=False),
        sa.Column("auth_time", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        _of_account("people_sessions"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_people_sessions")),
        sa.UniqueConstraint("id", name=op.f("uq_people_sessions_id")),
    )
    op.create_index(op.f("ix_people_sessions_account"), "people_sessions", ["account"], unique=False)
    op.create_index(op.f("ix_people_sessions_expires_at"), "people_sessions", ["expires_at"], unique=False)


def _consents() -> None:
    op.create_table(
        "people_consents",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("client_name", sa.String(length=255), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        _of_account("people_consents"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_people_consents")),
    )
    op.create_index(op.f("ix_people_consents_account"), "people_consents", ["account"], unique=False)


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_account_people_accounts")
    return sa.ForeignKeyConstraint(["account"], ["people_accounts.name"], name=name, ondelete="CASCADE")
