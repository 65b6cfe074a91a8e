"""Run by Alembic: the connection is handed in by gateway.database, which owns the transaction."""

from alembic import context

from gateway.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
