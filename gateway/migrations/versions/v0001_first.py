"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "application",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "binding",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("application", sa.String(length=128), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("x", sa.String(length=32), nullable=False),
        sa.Column("a", sa.String(length=32), nullable=False),
        sa.Column("b", sa.String(length=32), nullable=True),
        sa.Column("direction", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("sms", sa.Boolean(), nullable=False),
        sa.Column("switched_on", sa.Boolean(), nullable=False),
        sa.Column("show_caller", sa.Boolean(), nullable=True),
        sa.Column("user_data", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_binding_application_a", "binding", ["application", "a"], unique=False)
    op.create_index(op.f("ix_binding_expires_at"), "binding", ["expires_at"], unique=False)
    op.create_index("ix_binding_x", "binding", ["x", "created_at"], unique=False)
    op.create_table(
        "open_call",
        sa.Column("session", sa.String(length=256), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("application", sa.String(length=128), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("next_seq", sa.Integer(), nullable=False),
        sa.Column("known_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=300), nullable=False),
        sa.Column("application", sa.String(length=128), nullable=False),
        sa.Column("session", sa.String(length=256), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_outbox_due", "outbox", ["state", "due_at"], unique=False)
    op.create_index("uq_outbox_order", "outbox", ["session", "seq"], unique=True)
    op.create_table(
        "recording",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("session", sa.String(length=256), nullable=False),
        sa.Column("application", sa.String(length=128), nullable=False),
        sa.Column("spool", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("answered_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("notice", sa.Text(), nullable=True),
        sa.Column("erase_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_recording_session", "recording", ["session"], unique=False)
    op.create_index("ix_recording_state", "recording", ["state", "erase_at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("outbox", sa.String(length=300), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=256), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_attempt_outbox"), "attempt", ["outbox"], unique=False)
    op.create_table(
        "binding_member",
        sa.Column("x", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("binding", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["binding"], ["binding.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("x", "number"),
    )
    op.create_index(op.f("ix_binding_member_binding"), "binding_member", ["binding"], unique=False)
    op.create_table(
        "last_caller",
        sa.Column("binding", sa.String(length=64), nullable=False),
        sa.Column("caller", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["binding"], ["binding.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("binding"),
    )
    op.create_table(
        "number",
        sa.Column("x", sa.String(length=32), nullable=False),
        sa.Column("application", sa.String(length=128), nullable=False),
        sa.Column("area_code", sa.String(length=8), nullable=False),
        sa.Column("province", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("sms", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application"],
            ["application.key"],
        ),
        sa.PrimaryKeyConstraint("x"),
    )
    op.create_index(op.f("ix_number_application"), "number", ["application"], unique=False)
    op.create_table(
        "temporary_callee",
        sa.Column("binding", sa.String(length=64), nullable=False),
        sa.Column("callee", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("user_data", sa.String(length=256), nullable=True),
        sa.ForeignKeyConstraint(["binding"], ["binding.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("binding"),
    )
