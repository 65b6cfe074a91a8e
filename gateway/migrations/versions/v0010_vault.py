"""Encryption at rest: which key the database is sealed under, and room for cells, longer than what they hold."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

LONGER = {
    "binding": ("a", "b", "user_data"),
    "binding_member": ("number",),
    "temporary_callee": ("callee", "user_data"),
    "last_caller": ("caller",),
    "number_list": ("number", "note"),
    "registered_a": ("number",),
    "cdr": ("caller", "callee"),
    "sms_record": ("sender", "receiver"),
    "contact": ("name", "phone", "email"),
    "mail": ("recipient",),
}


def upgrade() -> None:
    """Make the table. SQLite looks at no lengths, and PostgreSQL rewrites nothing for these."""
    op.create_table(
        "vault_key",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_context().dialect.name == "postgresql":
        for table, columns in LONGER.items():
            for column in columns:
                op.alter_column(table, column, type_=sa.Text())
