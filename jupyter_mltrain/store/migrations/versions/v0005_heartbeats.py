"""When the processes that train were last heard of, so that other machines can tell whether they live."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add them; of no process that there is anything is known."""
    op.create_table(
        "heartbeats",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("pid", sa.BigInteger, primary_key=True),
        sa.Column("process_started", sa.Float, primary_key=True),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("beat_at", sa.DateTime, nullable=False),
    )
