"""What the rows of runs and of searches have in common: their facts, and the process at work on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, bindparam, func, select, update

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import Failure, Process, Record, RunStatus
from jupyter_mltrain.store.clock import MOST_SET_BACK, now
from jupyter_mltrain.store.codec import as_record
from jupyter_mltrain.store.database import Database
from jupyter_mltrain.store.heartbeats import beat, is_gone

_AS_THEY_ARE = ("id", "name", "number", "source", "started_at", "ended_at", "user", "options", "note", "facts")


def start_now(connection: Connection, table: Table, *of: ColumnElement[bool]) -> datetime:
    """Return the moment at which a row begins: now, or just after the newest of those that `of` chooses.

    So what began later is the newer one where the clock was set back in between, or another machine's is behind.
    """
    begins = now()
    newest: datetime | None = connection.execute(select(func.max(table.c.started_at)).where(*of)).scalar()
    if newest is None or not begins <= newest < begins + MOST_SET_BACK:
        return begins
    return newest + timedelta(microseconds=1)


def end_now(connection: Connection, table: Table, row_id: str) -> datetime:
    """Return the moment at which a row ends, which is never before it began."""
    started: datetime | None = connection.execute(select(table.c.started_at).where(table.c.id == row_id)).scalar()
    return max(now(), started) if started else now()


def running(process: Process) -> dict[str, Any]:
    """Return the columns of what is running, with a process at work on it."""
    return {
        "status": RunStatus.RUNNING,
        "host": process.host,
        "pid": process.pid,
        "process_started": process.started,
    }


def hold(connection: Connection, table: Table, row_id: str, process: Process) -> bool:
    """Write that a process is at work on a row; return whether there is such a row."""
    beat(connection, process)
    return bool(connection.execute(update(table).where(table.c.id == row_id).values(running(process))).rowcount)


def holder_of(table: Table) -> tuple[Column[Any], ...]:
    """Return the columns that tell whether a row is running, and in which process."""
    return table.c.status, table.c.host, table.c.pid, table.c.process_started


def process_from(row: Row[Any]) -> Process:
    """Return the process of a row."""
    return Process(host=row.host, pid=row.pid, started=row.process_started)


def common(row: Row[Any]) -> dict[str, Any]:
    """Return the fields of a `Record` that a row tells; its tags are read apart."""
    return {
        **{name: row._mapping[name] for name in _AS_THEY_ARE},  # noqa: SLF001 - SQLAlchemy's public name
        "status": RunStatus(row.status),
        "process": process_from(row),
        "failure": None if row.failure is None else as_record(Failure, row.failure),
    }


def check_free(connection: Connection, row: Row[Any], ref: str, process: Process) -> None:
    """Raise `OptionError` if a row is running and a process other than `process` may be at work on it."""
    holder = process_from(row)
    if row.status != RunStatus.RUNNING or holder == process:
        return
    if not is_gone(connection, holder):
        raise OptionError(
            f"expected {ref} to have ended, received one that process {holder.pid} on {holder.host} is at work on: "
            "stop it there first"
        )


def check_ended(connection: Connection, table: Table, what: str, found: Mapping[str, Record]) -> None:
    """Raise `OptionError` if one of the rows with the ids of `found` is running."""
    busy = connection.execute(select(table.c.id).where(table.c.id.in_(found), table.c.status == RunStatus.RUNNING)).scalar()
    if busy is not None:
        raise OptionError(f"expected {what} that have ended, received {found[busy].ref}, which is running: stop it first")


def add_facts(connection: Connection, table: Table, row_id: str, facts: Mapping[str, Any]) -> bool:
    """Add facts to a row, a key that it has gets the new value; return whether there is such a row."""
    known = connection.execute(select(table.c.facts).where(table.c.id == row_id)).scalar()
    if known is None:
        return False
    connection.execute(update(table).where(table.c.id == row_id).values(facts={**known, **facts}))
    return True


def mark_died(database: Database, table: Table) -> tuple[str, ...]:
    """Mark the running rows whose process is gone, and return their ids."""
    with database.read() as connection:
        running_rows: Select[Any] = select(table.c.id, *holder_of(table)).where(table.c.status == RunStatus.RUNNING)
        held = connection.execute(running_rows).all()
        gone = [row.id for row in held if is_gone(connection, process_from(row))]
    if not gone:
        return ()
    with database.write() as connection:
        still_running = (table.c.id == bindparam("gone"), table.c.status == RunStatus.RUNNING)
        died = update(table).where(*still_running).values(status=RunStatus.DIED)
        return tuple(row_id for row_id in gone if connection.execute(died, {"gone": row_id}).rowcount)
