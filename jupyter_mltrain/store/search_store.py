"""The searches of one home with their trials, whose files lie beside those of other runs in `runs/<id>`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from jupyter_mltrain.domain.run import Epoch, Failure, Process, Run, RunStatus, TrainingResult
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.store.codec import as_mapping
from jupyter_mltrain.store.database import Database, count_up
from jupyter_mltrain.store.heartbeats import beat
from jupyter_mltrain.store.record_files import keep
from jupyter_mltrain.store.records import add_facts, check_ended, check_free, end_now, holder_of, mark_died, running, start_now
from jupyter_mltrain.store.refs import search_id_of, search_names, unknown_run, unknown_search
from jupyter_mltrain.store.run_folders import empty_folder, make_folder, remove_folders
from jupyter_mltrain.store.run_id import new_run_id
from jupyter_mltrain.store.run_tables import begin_again, begin_run, end_run, read_run, read_runs
from jupyter_mltrain.store.schema import runs, searches
from jupyter_mltrain.store.search_rows import search_from, select_searches

_UNFINISHED = (RunStatus.RUNNING, RunStatus.DIED, RunStatus.INTERRUPTED, RunStatus.STOPPED)


class SearchStore:
    """Searches, written by the processes that train their trials and read by any.

    Threads and processes may use it at once. Each method that writes does so in one transaction: what it wrote is on
    the disk when it returns, and none of it is if it raised or the process died. A trial begins and ends together with the
    oracle's state that belongs to it, so a search whose process died can go on from what is there: `resume_search`, then
    `restart_trial` for each of the `unfinished`, then what `state` says is next.

    Every method raises `StoreError` if the home cannot be read or written, and `UnknownNameError` if there is no search,
    or no trial, with the id or name that it was given.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        """Keep records in `database` and the files of trials in `folder`, which must exist."""
        self._database = database
        self._folder = folder

    def create_search(
        self,
        *,
        name: str,
        source: str,
        options: Mapping[str, Any],
        tags: Mapping[str, str],
        note: str,
        facts: Mapping[str, Any],
        user: str,
        process: Process,
    ) -> Search:
        """Record that a search begins, with the next number of its name; the oracle's state is empty."""
        search_id = new_run_id()
        with self._database.write() as connection:
            record = {
                "id": search_id,
                "name": name,
                "number": count_up(connection, "search", name),
                "started_at": start_now(connection, searches),
                **running(process),
                "user": user,
                "source": source,
                "note": note,
                "options": options,
                "tags": tags,
                "facts": facts,
                "trials_begun": 0,
                "state": {},
            }
            beat(connection, process)
            connection.execute(insert(searches), record)
            self._keep(connection, search_id)
        return self.get(search_id)

    def begin_trial(
        self,
        search_id: str,
        *,
        values: Mapping[str, Any],
        state: Mapping[str, Any],
        source: str,
        options: Mapping[str, Any],
        tags: Mapping[str, str],
        note: str,
        user: str,
        process: Process,
    ) -> Run:
        """Record that a trial begins, with the next number of the search, and the oracle's state that gave its values."""
        folder = make_folder(self._folder)
        with self._database.write() as connection:
            search, number = _count_trial(connection, search_id, state)
            begin_run(
                connection,
                folder.name,
                process=process,
                tags=tags,
                name=f"{search}/{number}",
                number=1,
                user=user,
                source=source,
                note=note,
                options=options,
                facts={},
                search_id=search_id,
                trial=number,
                trial_values=values,
                trial_scores={},
            )
            self._keep(connection, search_id)
            keep(connection, folder)
            return read_run(connection, folder.name, self._folder)

    def end_trial(
        self,
        run_id: str,
        *,
        status: RunStatus,
        result: TrainingResult | None,
        failure: Failure | None,
        epochs: Sequence[Epoch],
        facts: Mapping[str, Any],
        scores: Mapping[str, float],
        values: Mapping[str, Any],
        state: Mapping[str, Any],
    ) -> Run:
        """Record how a trial ended, and the oracle's state that knows it.

        Args:
            run_id: the trial's.
            status: how it ended.
            result: what its training came to, if it did.
            failure: why it failed, if it did.
            epochs: those that were not recorded yet.
            facts: added to those that it has.
            scores: metric of each objective to its value; those that are not finite are left out.
            values: of the hyperparameters that were active.
            state: the oracle's.
        """
        finite = {metric: float(value) for metric, value in scores.items() if math.isfinite(value)}
        with self._database.write() as connection:
            search_id = _trial(connection, run_id).search_id
            add_facts(connection, runs, run_id, facts)
            end_run(
                connection,
                run_id,
                status=status,
                result=result,
                failure=failure,
                epochs=epochs,
                scores={**(result.best_metrics if result else {}), **finite},
                trial_values=values,
                trial_scores=finite,
            )
            connection.execute(update(searches).where(searches.c.id == search_id).values(state=state))
            self._keep(connection, search_id)
            keep(connection, self._folder / run_id, lasting=True)
            return read_run(connection, run_id, self._folder)

    def unfinished(self, search_id: str) -> tuple[Run, ...]:
        """Return the trials, in their order and without epochs, that a resumed search has to do again.

        Those are the ones that have begun and came to no end of their own: running, died, interrupted or stopped.
        """
        these = (runs.c.search_id == search_id, runs.c.status.in_(_UNFINISHED))
        with self._database.read() as connection:
            return read_runs(connection, select(runs).where(*these).order_by(runs.c.trial), self._folder)

    def restart_trial(self, run_id: str, process: Process) -> Run:
        """Record that a trial begins again, with its number and values, and remove all that it had come to, files included.

        Raises:
            OptionError: another process is at work on it.
        """
        with self._database.write() as connection:
            trial = _trial(connection, run_id)
            if trial.host == process.host:  # on another host its process is gone: the search would not be free otherwise
                check_free(connection, trial, trial.name, process)
            begin_again(connection, run_id, process)
            run = read_run(connection, run_id, self._folder)
        empty_folder(run.folder)  # the record goes first: a process that dies here leaves files that the next restart removes
        with self._database.write() as connection:
            keep(connection, run.folder)
        return run

    def add_facts(self, search_id: str, facts: Mapping[str, Any]) -> None:
        """Add facts to a search; a key that it has gets the new value."""
        with self._database.write() as connection:
            if not add_facts(connection, searches, search_id, facts):
                raise unknown_search(connection, search_id)
            self._keep(connection, search_id)

    def finish_search(
        self, search_id: str, *, status: RunStatus, failure: Failure | None = None, facts: Mapping[str, Any] | None = None
    ) -> Search:
        """Record how a search ended, and facts that are added to those that it has; return it with all its trials."""
        with self._database.write() as connection:
            ended = end_now(connection, searches, search_id)
            end = {"status": status, "ended_at": ended, "failure": as_mapping(failure) if failure else None}
            if not add_facts(connection, searches, search_id, facts or {}):
                raise unknown_search(connection, search_id)
            connection.execute(update(searches).where(searches.c.id == search_id).values(end))
            self._keep(connection, search_id, lasting=True)
        return self.get(search_id)

    def resume_search(self, search_id: str, process: Process) -> Search:
        """Record that a search which ended or died goes on in a process; return it with all its trials.

        Raises:
            OptionError: another process is at work on it; of several that resume it at once one goes on.
        """
        again = {**running(process), "ended_at": None, "failure": None}
        with self._database.write() as connection:
            search = _search(connection, search_id)
            check_free(connection, search, f"{search.name}#{search.number}", process)
            beat(connection, process)
            connection.execute(update(searches).where(searches.c.id == search_id).values(again))
            self._keep(connection, search_id)
        return self.get(search_id)

    def state(self, search_id: str) -> Mapping[str, Any]:
        """Return the oracle's state that belongs to the trials that there are."""
        with self._database.read() as connection:
            row = connection.execute(select(searches.c.state).where(searches.c.id == search_id)).first()
            if row is None:
                raise unknown_search(connection, search_id)
            state: Mapping[str, Any] = row.state
            return state

    def get(self, ref: str) -> Search:
        """Return one search with all its trials and their epochs.

        Args:
            ref: its id, `"digits#2"`, or `"digits"` for the newest of that name.
        """
        with self._database.read() as connection:
            search_id = search_id_of(connection, ref)
            row = connection.execute(select_searches().where(searches.c.id == search_id)).one()
            trials = select(runs).where(runs.c.search_id == search_id).order_by(runs.c.trial)
            return search_from(row, read_runs(connection, trials, self._folder, with_epochs=True))

    def list(
        self, limit: int = 50, offset: int = 0, *, name: str | None = None, status: RunStatus | None = None
    ) -> tuple[Search, ...]:
        """Return one page without trials, the newest first; only those of a name or status where one is given."""
        query = select_searches().order_by(searches.c.started_at.desc(), searches.c.id.desc()).limit(limit).offset(offset)
        if name is not None:
            query = query.where(searches.c.name == name)
        if status is not None:
            query = query.where(searches.c.status == status)
        with self._database.read() as connection:
            return tuple(map(search_from, connection.execute(query)))

    def count(self) -> int:
        """Return how many there are."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(searches)).scalar_one())

    def names(self) -> tuple[str, ...]:
        """Return every name that a search has, sorted."""
        with self._database.read() as connection:
            return search_names(connection)

    def remove(self, refs: Sequence[str]) -> tuple[Search, ...]:
        """Remove searches with all their trials and files, all or none; model versions that they made stay.

        The records go first: a process that dies on the way leaves files without a record, never the reverse.

        Raises:
            OptionError: one of them is running.
        """
        found = {search.id: search for search in map(self.get, refs)}
        with self._database.write() as connection:
            check_ended(connection, searches, "searches", found)
            connection.execute(delete(runs).where(runs.c.search_id.in_(found)))
            connection.execute(delete(searches).where(searches.c.id.in_(found)))
        remove_folders(trial.folder for search in found.values() for trial in search.trials)
        remove_folders(map(self._folder_of, found))
        return tuple(found.values())

    def _folder_of(self, search_id: str) -> Path:
        """Return where a search is kept; its files are those of its trials."""
        return self._folder.with_name("searches") / search_id

    def _keep(self, connection: Connection, search_id: str, *, lasting: bool = False) -> None:
        keep(connection, self._folder_of(search_id), lasting=lasting)

    def mark_died(self) -> tuple[Search, ...]:
        """Mark the running searches whose process is gone, and return them; when they ended is not known."""
        return tuple(map(self.get, mark_died(self._database, searches)))


def _count_trial(connection: Connection, search_id: str, state: Mapping[str, Any]) -> tuple[str, int]:
    """Write the oracle's state and count a trial; return the search's ref and the number of the trial."""
    counted = update(searches).where(searches.c.id == search_id).values(state=state, trials_begun=searches.c.trials_begun + 1)
    connection.execute(counted)
    search = _search(connection, search_id)
    return f"{search.name}#{search.number}", search.trials_begun


def _search(connection: Connection, search_id: str) -> Row[Any]:
    columns = (searches.c.name, searches.c.number, searches.c.trials_begun, *holder_of(searches))
    row = connection.execute(select(*columns).where(searches.c.id == search_id)).first()
    if row is None:
        raise unknown_search(connection, search_id)
    return row


def _trial(connection: Connection, run_id: str) -> Row[Any]:
    columns = (runs.c.search_id, runs.c.name, *holder_of(runs))
    row = connection.execute(select(*columns).where(runs.c.id == run_id, runs.c.search_id.is_not(None))).first()
    if row is None:
        raise unknown_run(connection, run_id)
    return row
