"""Alembic's scripts: ``env`` says where the connection comes from, ``versions`` hold one step each, oldest first."""
