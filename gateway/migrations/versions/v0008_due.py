"""Rows of the outbox that are due are found for one application after the other."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the index anew, and one for when some kinds rest."""
    op.drop_index("ix_outbox_due", "outbox")
    op.create_index("ix_outbox_due", "outbox", ["state", "application", "due_at"])
    op.create_index("ix_outbox_kind", "outbox", ["state", "application", "kind", "due_at"])
