"""The management API: tokens, audit log, enterprises, stock and orders of numbers, contacts, mail; whose a row is."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _text(name: str, length: int = 128, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=length), nullable=null)


def _time(name: str, *, null: bool = False) -> "sa.Column[float]":
    return sa.Column(name, sa.Float(), nullable=null)


def upgrade() -> None:
    """Add the columns and make the tables."""
    op.add_column("application", _text("enterprise", 64, null=True))
    op.create_index("ix_application_enterprise", "application", ["enterprise"])
    for table in ("application", "number"):
        op.add_column(table, sa.Column("origin", sa.String(length=8), server_default="file", nullable=False))
    op.add_column("application", sa.Column("name", sa.String(length=128), server_default="", nullable=False))
    op.add_column("number", sa.Column("cause", sa.Integer(), nullable=True))
    # Until now only what was taken out of the file was unavailable.
    op.execute("UPDATE number SET origin = 'out' WHERE status = 10")
    _who()
    _numbers()
    _messages()


def _who() -> None:
    op.create_table(
        "admin_token", _text("id", 32), _text("name"), _text("role", 16), _text("enterprise", 64, null=True),
        _text("digest", 64), _time("created_at"), _text("created_by"), _time("expires_at", null=True),
        _time("revoked_at", null=True), sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip
    op.create_table(
        "audit_entry", sa.Column("id", sa.Integer(), autoincrement=True, nullable=False), _time("at"),
        _text("token", 32), _text("actor"), _text("role", 16), _text("source", 64), _text("action", 64),
        _text("subject", 160), _text("enterprise", 64, null=True), sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    op.create_index("ix_audit_subject", "audit_entry", ["subject", "id"])
    op.create_table(
        "enterprise", _text("id", 64), _text("name", 256), _text("state", 16), _text("reason", 512),
        sa.Column("details", sa.Text(), nullable=False), sa.Column("max_applications", sa.Integer(), nullable=False),
        _time("created_at"), sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip


def _numbers() -> None:
    op.create_table(
        "stock_number", _text("x", 32), _text("area_code", 8), _text("province", 64),
        sa.Column("sms", sa.Boolean(), nullable=False), _time("added_at"), sa.PrimaryKeyConstraint("x"),
    )  # fmt: skip
    op.create_index("ix_stock_area", "stock_number", ["area_code", "x"])
    op.create_table(
        "number_order", _text("id", 64), _text("enterprise", 64), _text("application"), _text("contact", 64, null=True),
        _text("area_code", 8), sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("sms", sa.Boolean(), nullable=False), _text("state", 16), _text("reason", 512), _text("note", 512),
        _time("created_at"), _time("decided_at", null=True),
        sa.ForeignKeyConstraint(["application"], ["application.key"]), sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip
    op.create_index("ix_order_created", "number_order", ["created_at", "id"])
    op.create_table(
        "ordered_number", _text("order", 64), _text("x", 32),
        sa.ForeignKeyConstraint(["order"], ["number_order.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("order", "x"),
    )  # fmt: skip


def _messages() -> None:
    op.create_table(
        "contact", _text("id", 64), _text("enterprise", 64), _text("name"), _text("phone", 32), _text("email", 256),
        _text("notices", 256), _time("created_at"), sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip
    op.create_index("ix_contact_enterprise", "contact", ["enterprise"])
    op.create_table(
        "pending_address", _text("application"), _text("name", 32), _text("url", 1024), _time("due_at"),
        sa.ForeignKeyConstraint(["application"], ["application.key"]), sa.PrimaryKeyConstraint("application", "name"),
    )  # fmt: skip
    op.create_index("ix_pending_address_due_at", "pending_address", ["due_at"])
    op.create_table(
        "mail", _text("id", 64), _text("recipient", 256), _text("subject", 256),
        sa.Column("body", sa.Text(), nullable=False), _time("created_at"), _time("due_at"),
        sa.Column("tries", sa.Integer(), nullable=False), _text("state", 8), _text("error", 256),
        sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip
    op.create_index("ix_mail_due", "mail", ["state", "due_at"])
