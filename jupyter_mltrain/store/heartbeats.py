"""Which processes still live, on this machine and on others.

Of a process on the same machine the operating system knows. One on another machine is heard of: while it trains it
writes, every `SECONDS_BETWEEN_BEATS`, that it lives, by the database's clock; one that was silent for `SECONDS_TO_LIVE` is gone.
Processes of versions that wrote no beats are judged by their host's name alone, and those of other hosts not at all.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, type_coerce, update

from jupyter_mltrain.domain.run import Process, RunStatus
from jupyter_mltrain.store.database import Database
from jupyter_mltrain.store.processes import is_alive, this_machine, this_process
from jupyter_mltrain.store.schema import UtcDateTime, runs, searches
from jupyter_mltrain.store.schema import heartbeats as table

SECONDS_BETWEEN_BEATS = 20
SECONDS_TO_LIVE = 120  # without a beat; a server may be away for a while

_NOW = type_coerce(func.current_timestamp(), UtcDateTime)


class Heartbeats:
    """The life signs of processes that train."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def beat(self) -> None:
        """Record that this process lives; what others took for dead while it was not heard of is running again.

        Raises:
            StoreError: that cannot be written.
        """
        process = this_process()
        with self._database.write() as connection:
            beat(connection, process)
            for records in (runs, searches):
                mine = [records.c[name] == value for name, value in _columns(process).items()]
                taken_for_dead = update(records).where(*mine, records.c.status == RunStatus.DIED, records.c.ended_at.is_(None))
                connection.execute(taken_for_dead.values(status=RunStatus.RUNNING))


def beat(connection: Connection, process: Process) -> None:
    """Write that a process lives, if it is this one; nothing is known of others."""
    if process != this_process():
        return
    sign = {"machine": this_machine(), "beat_at": _NOW}
    beaten = connection.execute(update(table).where(*_is(process)).values(sign))
    if beaten.rowcount == 0:
        connection.execute(insert(table).values(**_columns(process), **sign))


def is_gone(connection: Connection, process: Process) -> bool:
    """Tell whether a process is known to have ended."""
    sign = _last_sign(connection, process)
    if sign is None:
        return process.host == this_process().host and not is_alive(process)
    return _is_silent(sign, process)


def _is_silent(sign: Row[Any], process: Process) -> bool:
    if sign.machine == this_machine():
        return not is_alive(process)
    return bool(sign.now - sign.beat_at > timedelta(seconds=SECONDS_TO_LIVE))


def _last_sign(connection: Connection, process: Process) -> Row[Any] | None:
    return connection.execute(select(table.c.machine, table.c.beat_at, _NOW.label("now")).where(*_is(process))).first()


def _is(process: Process) -> list[Any]:
    return [table.c[name] == value for name, value in _columns(process).items()]


def _columns(process: Process) -> dict[str, Any]:
    return {"host": process.host, "pid": process.pid, "process_started": process.started}
