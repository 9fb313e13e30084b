"""Searches, and what makes a run one of their trials."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add searches and trials; every run that there is stays a run of its own."""
    _create_searches()
    # in one statement, because SQLite adds no reference to a column that is there
    op.execute("ALTER TABLE runs ADD COLUMN search_id TEXT REFERENCES searches (id)")
    op.add_column("runs", sa.Column("trial", sa.Integer))
    op.add_column("runs", sa.Column("trial_values", sa.JSON))
    op.add_column("runs", sa.Column("trial_scores", sa.JSON))
    op.create_index("runs_by_trial", "runs", ["search_id", "trial"], unique=True)
    op.drop_index("runs_by_start", "runs")
    op.drop_index("runs_by_status", "runs")
    op.create_index("runs_by_start", "runs", ["search_id", "started_at", "id"])
    op.create_index("runs_by_status", "runs", ["status", "search_id", "started_at", "id"])


def _create_searches() -> None:
    op.create_table(
        "searches",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("process_started", sa.Float, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("failure", sa.JSON),
        sa.Column("trials_begun", sa.Integer, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.UniqueConstraint("name", "number", name="searches_by_name"),
        sa.Index("searches_by_start", "started_at", "id"),
    )
