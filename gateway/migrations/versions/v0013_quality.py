"""How well the legs of a call were heard, beside its CDR."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Calls that are over have none."""
    op.add_column("cdr", sa.Column("quality", sa.Text()))
