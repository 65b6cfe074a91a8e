"""Phones that register with us, and where they were."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the tables; cells of numbers have no length (v0010)."""
    number = sa.Text() if op.get_context().dialect.name == "postgresql" else sa.String(length=32)
    op.create_table(
        "phone",
        sa.Column("realm", sa.String(length=128), nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("digests", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "number"),
    )
    op.create_index("ix_phone_changed_at", "phone", ["changed_at"], unique=False)
    op.create_table(
        "phone_contact",
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("contacts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node", "number"),
    )
