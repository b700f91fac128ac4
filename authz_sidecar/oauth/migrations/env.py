"""Runs the migrations in the transaction that the store has open."""

from alembic import context

from authz_sidecar.oauth import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    transactional_ddl=False,  # the store's own transaction holds all of it
    version_table="oauth_version",
)
context.run_migrations()
