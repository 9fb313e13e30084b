"""Runs written and read within a transaction; a trial is written as a run is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, insert, select, update

from jupyter_mltrain.domain.run import Epoch, Failure, Process, Run, RunStatus, TrainingResult
from jupyter_mltrain.domain.run_summary import RunSummary
from jupyter_mltrain.store.clock import now
from jupyter_mltrain.store.codec import as_mapping
from jupyter_mltrain.store.heartbeats import beat
from jupyter_mltrain.store.records import end_now, running, start_now
from jupyter_mltrain.store.run_rows import epoch_from, epoch_rows, run_from, score_rows, summary_from, tag_rows
from jupyter_mltrain.store.schema import epochs as epoch_table
from jupyter_mltrain.store.schema import run_scores, run_tags, runs


def begin_run(connection: Connection, run_id: str, *, process: Process, tags: Mapping[str, str], **columns: Any) -> None:
    """Write that a run begins."""
    beat(connection, process)
    search_id = columns.get("search_id")
    started = start_now(connection, runs, runs.c.search_id == search_id if search_id else runs.c.search_id.is_(None))
    connection.execute(insert(runs), {"id": run_id, "started_at": started, **running(process), **columns})
    _insert(connection, run_tags, tag_rows(run_id, tags))


def end_run(
    connection: Connection,
    run_id: str,
    *,
    status: RunStatus,
    result: TrainingResult | None,
    failure: Failure | None,
    epochs: Sequence[Epoch],
    scores: Mapping[str, float],
    **columns: Any,
) -> bool:
    """Write how a run ended, with what it can be ordered by; return whether there is such a run."""
    end = {
        "status": status,
        "ended_at": end_now(connection, runs, run_id),
        "result": as_mapping(result) if result else None,
        "failure": as_mapping(failure) if failure else None,
        **columns,
    }
    if connection.execute(update(runs).where(runs.c.id == run_id).values(end)).rowcount == 0:
        return False
    connection.execute(delete(run_scores).where(run_scores.c.run_id == run_id))
    _insert(connection, run_scores, score_rows(run_id, scores))
    put_epochs(connection, run_id, epochs)
    return True


def put_epochs(connection: Connection, run_id: str, epochs: Sequence[Epoch]) -> None:
    """Write epochs in place of those that have their numbers."""
    if epochs:
        same = (epoch_table.c.run_id == run_id, epoch_table.c.number == bindparam("same"))
        connection.execute(delete(epoch_table).where(*same), [{"same": epoch.number} for epoch in epochs])
        connection.execute(insert(epoch_table), epoch_rows(run_id, epochs))


def begin_again(connection: Connection, run_id: str, process: Process) -> None:
    """Write that a run begins again, and remove what its last training came to."""
    beat(connection, process)
    again = {
        "started_at": now(),
        **running(process),
        "ended_at": None,
        "result": None,
        "failure": None,
        "facts": {},
        "trial_scores": {},
    }
    connection.execute(update(runs).where(runs.c.id == run_id).values(again))
    for table in (epoch_table, run_scores):
        connection.execute(delete(table).where(table.c.run_id == run_id))


def go_on(connection: Connection, run_id: str, process: Process, num_epochs: int) -> None:
    """Write that a run goes on after so many of its epochs, and remove what came of it after them."""
    beat(connection, process)
    again = {**running(process), "ended_at": None, "result": None, "failure": None}
    connection.execute(update(runs).where(runs.c.id == run_id).values(again))
    connection.execute(delete(run_scores).where(run_scores.c.run_id == run_id))
    connection.execute(delete(epoch_table).where(epoch_table.c.run_id == run_id, epoch_table.c.number > num_epochs))


def read_runs(connection: Connection, page: Select[Any], folder: Path, *, with_epochs: bool = False) -> tuple[Run, ...]:
    """Return the runs that `page` selects, in its order; `folder` holds theirs."""
    rows = connection.execute(page).all()
    ids = page.with_only_columns(runs.c.id, maintain_column_froms=True)
    tags = _tags(connection, ids)
    epochs = read_epochs(connection, _epochs_of(ids)) if with_epochs else {}
    return tuple(
        run_from(row, tags=tags.get(row.id, {}), epochs=tuple(epochs.get(row.id, ())), folder=folder / row.id) for row in rows
    )


def read_summaries(connection: Connection, query: Select[Any]) -> tuple[RunSummary, ...]:
    """Return the summaries that a query for them selects."""
    rows = connection.execute(query).all()
    tags = _tags(connection, query.with_only_columns(runs.c.id, maintain_column_froms=True))
    return tuple(summary_from(row, tags=tags.get(row.id, {})) for row in rows)


def read_epochs(connection: Connection, query: Select[Any]) -> dict[str, list[Epoch]]:
    """Return the epochs that a query selects, by the ids of their runs."""
    epochs: defaultdict[str, list[Epoch]] = defaultdict(list)
    for row in connection.execute(query):
        epochs[row.run_id].append(epoch_from(row))
    return epochs


def read_run(connection: Connection, run_id: str, folder: Path) -> Run:
    """Return a run that is there, with its epochs."""
    (run,) = read_runs(connection, select(runs).where(runs.c.id == run_id), folder, with_epochs=True)
    return run


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _tags(connection: Connection, run_ids: Select[Any]) -> dict[str, dict[str, str]]:
    tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
    rows = connection.execute(select(run_tags).where(run_tags.c.run_id.in_(run_ids)))
    for row in sorted(rows, key=lambda row: row.key):
        tags[row.run_id][row.key] = row.value
    return tags


def _epochs_of(run_ids: Select[Any]) -> Select[Any]:
    these = select(epoch_table).where(epoch_table.c.run_id.in_(run_ids))
    return these.order_by(epoch_table.c.run_id, epoch_table.c.number)
