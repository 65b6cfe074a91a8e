"""Records of calls and short messages for search, and what they come to day by day."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _text(name: str, length: int = 128, *, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=length), nullable=null)


def _whole(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), nullable=False)


def _real(name: str) -> "sa.Column[float]":
    return sa.Column(name, sa.Float(), nullable=False)


def upgrade() -> None:
    """Make the tables; calls of before are not in them."""
    op.create_table(
        "cdr", _text("session", 256), _text("application"), _text("mode", 8), _text("x", 32),
        _text("caller", 32, null=True), _text("callee", 32, null=True), _text("trunk", 64), _whole("direction"),
        _real("started_at"), _real("ended_at"), sa.Column("answered", sa.Boolean(), nullable=False), _real("seconds"),
        _whole("cause"), sa.Column("recorded", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("session"),
    )  # fmt: skip
    op.create_index("ix_cdr_ended", "cdr", ["ended_at", "session"])
    for name in ("application", "x", "caller", "callee"):
        op.create_index(f"ix_cdr_{name}", "cdr", [name, "ended_at"])
    op.create_table(
        "sms_record", _text("id", 64), _text("application"), _text("x", 32), _text("sender", 32, null=True),
        _text("receiver", 32, null=True), _real("at"), _whole("direction"), _whole("parts"), _whole("result"),
        _text("binding", 64, null=True), sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip
    op.create_index("ix_sms_at", "sms_record", ["at", "id"])
    for name in ("application", "x", "sender", "receiver"):
        op.create_index(f"ix_sms_{name}", "sms_record", [name, "at"])
    op.create_table(
        "day_count", _text("application"), _text("day", 10), _text("kind", 8), _whole("result"), _whole("count"),
        _whole("answered"), _real("seconds"), _whole("recorded"),
        sa.PrimaryKeyConstraint("application", "day", "kind", "result"),
    )  # fmt: skip
    op.create_index("ix_day_count_day", "day_count", ["day"])
