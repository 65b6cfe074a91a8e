"""Traces of calls on demand: switches, traced calls, their messages."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "trace_switch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "call_trace",
        sa.Column("session", sa.String(length=256), nullable=False),
        sa.Column("switch", sa.String(length=32), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session"),
    )
    op.create_index("ix_call_trace_started_at", "call_trace", ["started_at"])
    op.create_table(
        "trace_message",
        sa.Column("session", sa.String(length=256), nullable=False),
        sa.Column("order", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("peer", sa.String(length=128), nullable=False),
        sa.Column("here", sa.String(length=128), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["call_trace.session"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session", "order"),
    )
