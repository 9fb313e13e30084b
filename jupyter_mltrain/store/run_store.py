"""The runs of one home: their records in the database, their files in `runs/<id>`."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, insert, select, update

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError, did_you_mean
from jupyter_mltrain.domain.run import Epoch, Failure, Process, Run, RunFilter, RunStatus, TrainingResult
from jupyter_mltrain.store.codec import as_mapping
from jupyter_mltrain.store.database import Database, count_up, store_errors
from jupyter_mltrain.store.processes import is_alive, this_process
from jupyter_mltrain.store.run_id import new_run_id
from jupyter_mltrain.store.run_query import number_of, page_of
from jupyter_mltrain.store.run_rows import epoch_from, epoch_rows, process_from, run_from, score_rows, tag_rows
from jupyter_mltrain.store.schema import epochs as epoch_table
from jupyter_mltrain.store.schema import run_scores, run_tags, runs

_REF = re.compile(r"(?P<name>.*)#(?P<number>[0-9]{1,9})")


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
    ) -> Run:
        """Record that a run begins, with the next number of its name, and make its folder."""
        folder = self._make_folder()
        with self._database.write() as connection:
            record = {
                "id": folder.name,
                "name": name,
                "number": count_up(connection, "run", name),
                "status": RunStatus.RUNNING,
                "started_at": datetime.now(UTC),
                "user": user,
                "host": process.host,
                "pid": process.pid,
                "process_started": process.started,
                "source": source,
                "note": note,
                "options": options,
                "facts": facts,
            }
            connection.execute(insert(runs), record)
            _insert(connection, run_tags, tag_rows(folder.name, tags))
        return self.get(folder.name)

    def add_facts(self, run_id: str, facts: Mapping[str, Any]) -> None:
        """Add facts to a run; a key that it has gets the new value.

        Raises:
            UnknownNameError: there is no such run.
        """
        with self._database.write() as connection:
            known = connection.execute(select(runs.c.facts).where(runs.c.id == run_id)).scalar()
            if known is None:
                raise _unknown(connection, run_id)
            connection.execute(update(runs).where(runs.c.id == run_id).values(facts={**known, **facts}))

    def append_epochs(self, run_id: str, epochs: Sequence[Epoch]) -> None:
        """Record epochs; one that was recorded before is replaced, so that a repeated call does no harm."""
        with self._database.write() as connection:
            _put_epochs(connection, run_id, epochs)

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
        end = {
            "status": status,
            "ended_at": datetime.now(UTC),
            "result": as_mapping(result) if result else None,
            "failure": as_mapping(failure) if failure else None,
        }
        with self._database.write() as connection:
            if connection.execute(update(runs).where(runs.c.id == run_id).values(end)).rowcount == 0:
                raise _unknown(connection, run_id)
            connection.execute(delete(run_scores).where(run_scores.c.run_id == run_id))
            _insert(connection, run_scores, score_rows(run_id, result))
            _put_epochs(connection, run_id, epochs)
        return self.get(run_id)

    def get(self, ref: str) -> Run:
        """Return one run with its epochs.

        Args:
            ref: its id, `"digits#2"`, or `"digits"` for the newest of that name.

        Raises:
            UnknownNameError: there is no such run; near misses are suggested.
        """
        with self._database.read() as connection:
            row = _find(connection, ref)
            if row is None:
                raise _unknown(connection, ref)
            of_run = select(epoch_table).where(epoch_table.c.run_id == row.id).order_by(epoch_table.c.number)
            epochs = tuple(map(epoch_from, connection.execute(of_run)))
            tags = _tags(connection, select(runs.c.id).where(runs.c.id == row.id))
            return run_from(row, tags=tags[row.id], epochs=epochs, folder=self._folder / row.id)

    def list(self, which: RunFilter) -> tuple[Run, ...]:
        """Return the runs of one page without their epochs, the newest or the best first."""
        page = page_of(which)
        with self._database.read() as connection:
            rows = connection.execute(page).all()
            tags = _tags(connection, page.with_only_columns(runs.c.id, maintain_column_froms=True))
            return tuple(run_from(row, tags=tags[row.id], epochs=(), folder=self._folder / row.id) for row in rows)

    def count(self, which: RunFilter) -> int:
        """Return how many runs there are on all pages."""
        with self._database.read() as connection:
            return int(connection.execute(number_of(which)).scalar_one())

    def names(self) -> tuple[str, ...]:
        """Return every name that a run has, sorted."""
        with self._database.read() as connection:
            return _names(connection)

    def remove(self, refs: Sequence[str]) -> tuple[Run, ...]:
        """Remove runs with their files, all or none; model versions that they made stay.

        The records go first: a process that dies on the way leaves files without a record, never the reverse.

        Raises:
            UnknownNameError: one of them does not exist.
            OptionError: one of them is running.
        """
        found = {run.id: run for run in map(self.get, refs)}
        with self._database.write() as connection:
            these = runs.c.id.in_(found)
            named = select(runs.c.name, runs.c.number)
            running = connection.execute(named.where(these, runs.c.status == RunStatus.RUNNING)).first()
            if running:
                raise OptionError(
                    f"expected runs that have ended, received {running.name}#{running.number}, which is running: stop it first"
                )
            connection.execute(delete(runs).where(these))
        for run in found.values():
            with store_errors(run.folder), suppress(FileNotFoundError):
                shutil.rmtree(run.folder)
        return tuple(found.values())

    def mark_died(self) -> tuple[Run, ...]:
        """Mark the running runs of this host whose process is gone, and return them; when they ended is not known."""
        with self._database.read() as connection:
            here: Select[Any] = select(runs.c.id, runs.c.host, runs.c.pid, runs.c.process_started).where(
                runs.c.host == this_process().host
            )
            running = connection.execute(here.where(runs.c.status == RunStatus.RUNNING))
            gone = [row.id for row in running if not is_alive(process_from(row))]
        if not gone:
            return ()
        with self._database.write() as connection:
            still_running = (runs.c.id == bindparam("gone"), runs.c.status == RunStatus.RUNNING)
            died = update(runs).where(*still_running).values(status=RunStatus.DIED)
            connection.execute(died, [{"gone": run_id} for run_id in gone])
        return tuple(run for run in map(self.get, gone) if run.status is RunStatus.DIED)

    def _make_folder(self) -> Path:
        with store_errors(self._folder):
            while True:
                folder = self._folder / new_run_id()
                with suppress(FileExistsError):  # an id of the same millisecond: draw again
                    folder.mkdir()
                    return folder


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _put_epochs(connection: Connection, run_id: str, epochs: Sequence[Epoch]) -> None:
    if epochs:
        same = (epoch_table.c.run_id == run_id, epoch_table.c.number == bindparam("same"))
        connection.execute(delete(epoch_table).where(*same), [{"same": epoch.number} for epoch in epochs])
        connection.execute(insert(epoch_table), epoch_rows(run_id, epochs))


def _find(connection: Connection, ref: str) -> Row[Any] | None:
    numbered = _REF.fullmatch(ref)
    if numbered:
        number = int(numbered["number"])
        return connection.execute(select(runs).where(runs.c.name == numbered["name"], runs.c.number == number)).first()
    newest = select(runs).where(runs.c.name == ref).order_by(runs.c.number.desc()).limit(1)
    return connection.execute(select(runs).where(runs.c.id == ref)).first() or connection.execute(newest).first()


def _tags(connection: Connection, run_ids: Select[Any]) -> defaultdict[str, dict[str, str]]:
    tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(select(run_tags).where(run_tags.c.run_id.in_(run_ids)).order_by(run_tags.c.key)):
        tags[row.run_id][row.key] = row.value
    return tags


def _names(connection: Connection) -> tuple[str, ...]:
    return tuple(connection.execute(select(runs.c.name).distinct().order_by(runs.c.name)).scalars())


def _unknown(connection: Connection, ref: str) -> UnknownNameError:
    newest = select(runs.c.number).where(runs.c.name == ref.partition("#")[0]).order_by(runs.c.number.desc()).limit(10)
    known = [f"{ref.partition('#')[0]}#{number}" for number in connection.execute(newest).scalars()]
    return UnknownNameError(f"no run named {ref[:120]!r}{did_you_mean(ref, known or _names(connection))}")
