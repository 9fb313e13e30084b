"""Many runs of one home at once, without what is long of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from jupyter_mltrain.domain.run import Epoch, Run, RunFilter
from jupyter_mltrain.domain.run_summary import RunSummary
from jupyter_mltrain.store.database import Database
from jupyter_mltrain.store.refs import search_of
from jupyter_mltrain.store.run_query import all_summaries, changed_summaries, sampled_epochs
from jupyter_mltrain.store.run_tables import read_epochs, read_runs, read_summaries
from jupyter_mltrain.store.schema import runs

_MOST_IDS = 500  # in one query: databases take only so many values


class RunSummaries:
    """What lists of runs are made of; nothing is written.

    Threads and processes may use it at once. Every method raises `StoreError` if the home cannot be read.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        """Read the records in `database`; `folder` holds the runs' files."""
        self._database = database
        self._folder = folder

    def with_ids(self, run_ids: Sequence[str]) -> tuple[Run, ...]:
        """Return runs without epochs, in the order of their ids; one that is not there is passed over."""
        with self._database.read() as connection:
            parts = (run_ids[first : first + _MOST_IDS] for first in range(0, len(run_ids), _MOST_IDS))
            queries = (select(runs).where(runs.c.id.in_(part)) for part in parts)
            found = {run.id: run for query in queries for run in read_runs(connection, query, self._folder)}
        return tuple(found[run_id] for run_id in run_ids if run_id in found)

    def all(self, which: RunFilter) -> tuple[RunSummary, ...]:
        """Return the summaries of the runs on all pages, in no order.

        Raises:
            UnknownNameError: there is no such search; near misses are suggested.
        """
        with self._database.read() as connection:
            return read_summaries(connection, all_summaries(which, search_of(connection, which)))

    def changed(self, which: RunFilter, *, since: datetime, ids: Collection[str]) -> tuple[RunSummary, ...]:
        """Return the summaries of those that run, that started at or after a moment, or that are among `ids`.

        Raises:
            UnknownNameError: there is no such search; near misses are suggested.
        """
        with self._database.read() as connection:
            queries = changed_summaries(which, search_of(connection, which), since=since, ids=ids)
            return tuple({run.id: run for query in queries for run in read_summaries(connection, query)}.values())

    def curves(self, run_ids: Collection[str], most: int) -> Mapping[str, Sequence[Epoch]]:
        """Return of each run that has epochs its first, at most `most` others at equal distances, and its last."""
        with self._database.read() as connection:
            return read_epochs(connection, sampled_epochs(run_ids, most))
