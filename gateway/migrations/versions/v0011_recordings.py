"""Recordings: a queue of uploads, proof, legal hold, keys; which node has a recording's files."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns and the tables. What is ready lies in the store under its own name."""
    for column in (
        sa.Column("node", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("object", sa.String(length=200), nullable=False, server_default=""),
        sa.Column("channels", sa.Text(), nullable=True),
        sa.Column("quality", sa.Text(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("hold", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("due_at", sa.Float(), nullable=False, server_default="0"),
        sa.Column("data_key", sa.Text(), nullable=True),
    ):
        op.add_column("recording", column)
    op.execute("UPDATE recording SET object = name WHERE state = 'ready'")
    op.create_table(
        "recording_proof",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_recording_proof_name", "recording_proof", ["name"], unique=False)
    op.create_table(
        "recording_day",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "retention_clock",
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("ticks", sa.Float(), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("node"),
    )
