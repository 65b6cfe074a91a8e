"""An attempt keeps the first bytes of what the customer's server answered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Attempts that were made before have none."""
    op.add_column("attempt", sa.Column("answer", sa.Text(), nullable=True))
