"""Which run a run was forked from, and where."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add both columns; no run that there is was forked."""
    op.add_column("runs", sa.Column("parent_id", sa.Text))
    op.add_column("runs", sa.Column("parent", sa.JSON))
    op.create_index("runs_by_parent", "runs", ["parent_id"])
