"""The tables as they are now; how they came to be is told by the steps in `migrations`.

`runs` holds the record. `run_tags` holds its tags, one a row, and `run_scores` repeats the best metrics of its result and a
trial's scores, so that both can be searched with an index on every database, whatever characters their names are made of.

`searches` holds the record of a search; its trials are the runs that have its id and a number in it, `trial`. A trial's
name is `digits#2/7`, its `number` 1. `search_id` of a run of its own is null, and stands in the indexes before the time, so
that listing those runs passes over no trial.

`alias_moves` is all that is known of aliases: the last move of an alias tells what it stands for, and no row is ever changed.
The foreign key to the version is what keeps a version from being deleted under it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: kept in UTC without a zone, which every database can sort, and given back with its zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Return the moment in UTC, its zone taken off."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)  # a server's clock gives its zone


class FreeText(TypeDecorator[str]):
    """Text from outside: characters that UTF-8 cannot hold (lone surrogates) are kept as escapes, not refused.

    PostgreSQL takes no NUL character in a text: there it is kept as two others, and comes back as it was.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text with every character encodable."""
        if value is None:
            return None
        text = value.encode("utf-8", "backslashreplace").decode("utf-8")
        return text.replace("\x1a", "\x1a1").replace("\0", "\x1a0") if dialect.name == "postgresql" else text

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text as it was."""
        if value is None or dialect.name != "postgresql":
            return value
        return value.replace("\x1a0", "\0").replace("\x1a1", "\x1a")


def _json() -> JSON:
    return JSON(none_as_null=True)


def _of_a_record() -> tuple[Column[Any], ...]:
    """Return the columns that runs and searches have in common."""
    return (
        Column("id", FreeText, primary_key=True),
        Column("name", FreeText, nullable=False),
        Column("number", Integer, nullable=False),
        Column("status", String(16), nullable=False),
        Column("started_at", UtcDateTime, nullable=False),
        Column("ended_at", UtcDateTime),
        Column("user", FreeText, nullable=False),
        Column("host", FreeText, nullable=False),
        Column("pid", BigInteger, nullable=False),
        Column("process_started", Float, nullable=False),
        Column("source", FreeText, nullable=False),
        Column("note", FreeText, nullable=False),
        Column("options", _json(), nullable=False),
    )


def _run_id() -> ForeignKey:
    return ForeignKey("runs.id", ondelete="CASCADE")


metadata = MetaData()

counters = Table(  # the last number given, so that the number of a removed run is never given again
    "counters",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", FreeText, primary_key=True),
    Column("last", Integer, nullable=False),
)

searches = Table(
    "searches",
    metadata,
    *_of_a_record(),
    Column("tags", _json(), nullable=False),
    Column("facts", _json(), nullable=False),
    Column("failure", _json()),
    Column("trials_begun", Integer, nullable=False),  # so that the number of a removed trial is never given again
    Column("state", _json(), nullable=False),  # the oracle's; last, because it is long and seldom read
    UniqueConstraint("name", "number", name="searches_by_name"),
    Index("searches_by_start", "started_at", "id"),
)

runs = Table(
    "runs",
    metadata,
    *_of_a_record(),
    Column("facts", _json(), nullable=False),
    Column("result", _json()),
    Column("failure", _json()),
    Column("search_id", ForeignKey("searches.id")),
    Column("trial", Integer),
    Column("trial_values", _json()),
    Column("trial_scores", _json()),
    Column("parent_id", FreeText),  # the parent may be removed, hence no foreign key
    Column("parent", _json()),
    UniqueConstraint("name", "number", name="runs_by_name"),
    Index("runs_by_start", "search_id", "started_at", "id"),
    Index("runs_by_trial", "search_id", "trial", unique=True),
    Index("runs_by_status", "status", "search_id", "started_at", "id"),
    Index("runs_by_parent", "parent_id"),
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", _run_id(), primary_key=True),
    Column("key", FreeText, primary_key=True),
    Column("value", FreeText, nullable=False),
    Index("run_tags_by_key", "key", "value"),
)

run_scores = Table(
    "run_scores",
    metadata,
    Column("run_id", _run_id(), primary_key=True),
    Column("metric", FreeText, primary_key=True),
    Column("value", Float, nullable=False),
    Index("run_scores_by_metric", "metric", "value"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("run_id", _run_id(), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("phase", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("metrics", _json(), nullable=False),
)

model_versions = Table(  # outlives the run that made it, hence no foreign key
    "model_versions",
    metadata,
    Column("name", FreeText, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("file", FreeText, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("signature", _json(), nullable=False),
    Column("num_params", BigInteger, nullable=False),
    Column("metrics", _json(), nullable=False),
    Column("run_id", FreeText, nullable=False),
    Column("run_ref", FreeText, nullable=False),
    Column("user", FreeText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("model_versions_by_run", "run_id"),
)

archived_versions = Table(
    "archived_versions",
    metadata,
    Column("name", FreeText, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("archived_at", UtcDateTime, nullable=False),
    Column("user", FreeText, nullable=False),
    Column("reason", FreeText, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["model_versions.name", "model_versions.version"]),
)

heartbeats = Table(  # when a process that trains was last heard of, by the database's clock
    "heartbeats",
    metadata,
    Column("host", FreeText, primary_key=True),
    Column("pid", BigInteger, primary_key=True),
    Column("process_started", Float, primary_key=True),
    Column("machine", FreeText, nullable=False),
    Column("beat_at", UtcDateTime, nullable=False),
)

alias_moves = Table(
    "alias_moves",
    metadata,
    Column("model", FreeText, primary_key=True),
    Column("alias", FreeText, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("version", Integer),  # null: the alias was taken away
    Column("moved_at", UtcDateTime, nullable=False),
    Column("user", FreeText, nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("is_rollback", Boolean, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["model_versions.name", "model_versions.version"]),
)
