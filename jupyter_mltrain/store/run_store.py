"""The runs of one home: their records in the database, their files in `runs/<id>`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from jupyter_mltrain.domain.run import Epoch, Failure, Parent, Process, Run, RunFilter, RunStatus, TrainingResult
from jupyter_mltrain.store.codec import as_mapping
from jupyter_mltrain.store.database import Database, count_up
from jupyter_mltrain.store.record_files import add, keep
from jupyter_mltrain.store.records import add_facts, check_ended, check_free, hold, holder_of, mark_died, process_from
from jupyter_mltrain.store.refs import run_id_of, run_names, search_of, unknown_run
from jupyter_mltrain.store.run_folders import make_folder, remove_folders
from jupyter_mltrain.store.run_query import number_of, page_of
from jupyter_mltrain.store.run_rows import epoch_rows
from jupyter_mltrain.store.run_tables import begin_run, end_run, go_on, put_epochs, read_run, read_runs
from jupyter_mltrain.store.schema import runs


class RunStore:
    """Runs, written by the process that trains and read by any.

    Threads and processes may use it at once. Each method that writes does so in one transaction: what it wrote is on
    the disk when it returns, and none of it is if it raised or the process died.

    Every method raises `StoreError` if the home cannot be read or written.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        """Keep records in `database` and files in `folder`, which must exist."""
        self._database = database
        self._folder = folder

    def create_run(
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
        parent: Parent | None = None,
        unrecorded: Run | None = None,
    ) -> Run:
        """Record that a run begins, with the next number of its name, and make its folder.

        `unrecorded` is the run, if it has begun already and could not be recorded then.
        """
        folder = make_folder(self._folder, unrecorded.id if unrecorded else None)
        with self._database.write() as connection:
            begin_run(
                connection,
                folder.name,
                process=process,
                tags=tags,
                name=name,
                number=count_up(connection, "run", name),
                user=user,
                source=source,
                note=note,
                options=options,
                facts=facts,
                parent_id=parent.id if parent else None,
                parent=as_mapping(parent) if parent else None,
                **({"started_at": unrecorded.started_at} if unrecorded else {}),
            )
            keep(connection, folder)
            return read_run(connection, folder.name, self._folder)

    def add_facts(self, run_id: str, facts: Mapping[str, Any]) -> None:
        """Add facts to a run; a key that it has gets the new value.

        Raises:
            UnknownNameError: there is no such run.
        """
        with self._database.write() as connection:
            if not add_facts(connection, runs, run_id, facts):
                raise unknown_run(connection, run_id)
            add(connection, self._folder / run_id, facts=facts)

    def append_epochs(self, run_id: str, epochs: Sequence[Epoch]) -> None:
        """Record epochs; one that was recorded before is replaced, so that a repeated call does no harm."""
        with self._database.write() as connection:
            put_epochs(connection, run_id, epochs)
            add(connection, self._folder / run_id, epochs=epoch_rows(run_id, epochs))

    def finish_run(
        self,
        run_id: str,
        *,
        status: RunStatus,
        result: TrainingResult | None,
        failure: Failure | None = None,
        epochs: Sequence[Epoch] = (),
    ) -> Run:
        """Record how a run ended, with the epochs that were not recorded yet.

        Raises:
            UnknownNameError: there is no such run.
        """
        scores = result.best_metrics if result else {}
        with self._database.write() as connection:
            if not end_run(connection, run_id, status=status, result=result, failure=failure, epochs=epochs, scores=scores):
                raise unknown_run(connection, run_id)
            keep(connection, self._folder / run_id, lasting=True)
            return read_run(connection, run_id, self._folder)

    def hand_over(self, run_id: str, process: Process) -> Run:
        """Record that a process goes on with a run that another has begun, and return it with its epochs.

        Raises:
            UnknownNameError: there is no such run.
        """
        with self._database.write() as connection:
            if not hold(connection, runs, run_id, process):
                raise unknown_run(connection, run_id)
            keep(connection, self._folder / run_id)
            return read_run(connection, run_id, self._folder)

    def status(self, run_id: str) -> tuple[RunStatus, Process]:
        """Return where a run is, and the process at work on it, or the last that was.

        Raises:
            UnknownNameError: there is no such run.
        """
        with self._database.read() as connection:
            row = connection.execute(select(*holder_of(runs)).where(runs.c.id == run_id)).first()
            if row is None:
                raise unknown_run(connection, run_id)
            return RunStatus(row.status), process_from(row)

    def note_model(self, run_id: str, model_id: str) -> None:
        """Record that a run which has ended with a result was registered as `model_id`."""
        with self._database.write() as connection:
            result = connection.execute(select(runs.c.result).where(runs.c.id == run_id)).scalar_one_or_none()
            if result is not None:
                connection.execute(update(runs).where(runs.c.id == run_id).values(result={**result, "model_id": model_id}))
                keep(connection, self._folder / run_id, lasting=True)

    def check_free(self, run_id: str, process: Process) -> None:
        """Raise `OptionError` if a process other than `process` may be at work on a run, `UnknownNameError` if there is none."""
        with self._database.read() as connection:
            _check_free(connection, run_id, process)

    def resume_run(self, run_id: str, process: Process, *, num_epochs: int) -> Run:
        """Record that a run which ended or died goes on in a process after so many of its epochs; return it with them.

        Raises:
            UnknownNameError: there is no such run.
            OptionError: another process is at work on it; of several that resume it at once one goes on.
        """
        with self._database.write() as connection:
            _check_free(connection, run_id, process)
            go_on(connection, run_id, process, num_epochs)
            keep(connection, self._folder / run_id)
            return read_run(connection, run_id, self._folder)

    def get(self, ref: str) -> Run:
        """Return one run with its epochs.

        Args:
            ref: its id, `"digits#2"`, `"digits"` for the newest of that name, or a trial: `"digits#2/7"`, or `"digits/7"`
                for that of the newest search.

        Raises:
            UnknownNameError: there is no such run; near misses are suggested.
        """
        with self._database.read() as connection:
            return read_run(connection, run_id_of(connection, ref), self._folder)

    def list(self, which: RunFilter) -> tuple[Run, ...]:
        """Return one page without epochs: runs, the newest or the best first, or the trials of `which.search`.

        Raises:
            UnknownNameError: there is no such search; near misses are suggested.
        """
        with self._database.read() as connection:
            return read_runs(connection, page_of(which, search_of(connection, which)), self._folder)

    def count(self, which: RunFilter) -> int:
        """Return how many there are on all pages.

        Raises:
            UnknownNameError: there is no such search; near misses are suggested.
        """
        with self._database.read() as connection:
            return int(connection.execute(number_of(which, search_of(connection, which))).scalar_one())

    def families(self) -> tuple[Run, ...]:
        """Return every run that was forked or is a fork, without epochs, the oldest first."""
        parents = select(runs.c.parent_id).where(runs.c.parent_id.is_not(None))
        related = or_(runs.c.parent_id.is_not(None), runs.c.id.in_(parents))
        with self._database.read() as connection:
            return read_runs(connection, select(runs).where(related).order_by(runs.c.started_at, runs.c.id), self._folder)

    def names(self) -> tuple[str, ...]:
        """Return every name that a run has, sorted; trials have none of their own."""
        with self._database.read() as connection:
            return run_names(connection)

    def folders(self) -> tuple[Path, ...]:
        """Return the folder of every run and trial."""
        with self._database.read() as connection:
            return tuple(self._folder / run_id for run_id in connection.execute(select(runs.c.id)).scalars())

    def remove(self, refs: Sequence[str]) -> tuple[Run, ...]:
        """Remove runs with their files, all or none; model versions that they made stay.

        The records go first: a process that dies on the way leaves files without a record, never the reverse.

        Raises:
            UnknownNameError: one of them does not exist.
            OptionError: one of them is running.
        """
        found = {run.id: run for run in map(self.get, refs)}
        with self._database.write() as connection:
            check_ended(connection, runs, "runs", found)
            connection.execute(delete(runs).where(runs.c.id.in_(found)))
        remove_folders(run.folder for run in found.values())
        return tuple(found.values())

    def mark_died(self) -> tuple[Run, ...]:
        """Mark the running runs whose process is gone, and return them; when they ended is not known."""
        return tuple(map(self.get, mark_died(self._database, runs)))


def _check_free(connection: Connection, run_id: str, process: Process) -> None:
    row = connection.execute(select(runs.c.name, runs.c.number, *holder_of(runs)).where(runs.c.id == run_id)).first()
    if row is None:
        raise unknown_run(connection, run_id)
    check_free(connection, row, f"{row.name}#{row.number}", process)
