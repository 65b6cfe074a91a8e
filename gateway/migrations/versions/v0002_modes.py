"""AXE and AXYB: extension, Y, the relation's parent, callbacks; and what only the API shows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; bindings that stand have none of these."""
    op.add_column("binding", sa.Column("extension", sa.String(length=4), nullable=True))
    op.add_column("binding", sa.Column("y", sa.String(length=32), nullable=True))
    op.add_column("binding", sa.Column("parent", sa.String(length=64), nullable=True))
    op.add_column("binding", sa.Column("callback", sa.Text(), nullable=True))
    op.add_column("binding", sa.Column("extra", sa.Text(), nullable=True))
    op.create_index("ix_binding_parent", "binding", ["parent"], unique=False)
