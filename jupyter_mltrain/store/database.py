"""Transactions, and the one edge where foreign errors become ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.store.postgres_errors import of_postgres
from jupyter_mltrain.store.schema import counters
from jupyter_mltrain.store.sqlite_errors import damaged, of_file, of_sqlite


class Database:
    """The tables of one home.

    Threads and forked processes may share it: every block of work has a connection of its own. What a block wrote is
    on the disk when the block has ended, and none of it is if the block raised or the process died.

    Attributes:
        place: what messages name: the file, or a server's address without its password.
        engine: of SQLAlchemy.
        guard: gives what every block of work is done within.
    """

    def __init__(self, place: Path | str, engine: Engine, **reading: Any) -> None:
        """Work on `engine`; `reading` are its options for blocks that only read."""
        self.place = place
        self.engine = engine
        self.guard: Callable[[], AbstractContextManager[None]] = nullcontext
        self._reader = engine.execution_options(**reading)
        self._writer = engine.execution_options(writes=True)

    @property
    def is_shared(self) -> bool:
        """Whether a server keeps it, for any number of machines."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database until the block ends.

        Raises:
            StoreError: the database cannot be read.
        """
        with self.guard(), store_errors(self.place), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection that alone may write until the block ends, and commit then.

        Raises:
            StoreAwayError: the database cannot be written at the moment, and nothing was.
            StoreError: the database cannot be written.
        """
        with self.guard(), store_errors(self.place), self._writer.connect() as connection:
            connection.begin()
            yield connection
            self._commit(connection)

    def _commit(self, connection: Connection) -> None:
        try:
            connection.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise StoreError(  # the server may have committed, and could not say so
                f"expected {self.place} to confirm what was written, the connection broke: look whether it is there"
            ) from error

    def close(self) -> None:
        """Let go of what is held."""
        self.engine.dispose()


def count_up(connection: Connection, kind: str, name: str) -> int:
    """Return the next number of `name`, from 1, in a transaction that writes; no number is given twice."""
    this = (counters.c.kind == kind, counters.c.name == name)
    counted = connection.execute(update(counters).where(*this).values(last=counters.c.last + 1))
    if counted.rowcount == 0:
        connection.execute(insert(counters).values(kind=kind, name=name, last=1))
    return int(connection.execute(select(counters.c.last).where(*this)).scalar_one())


def claim(connection: Connection, kind: str, name: str, number: int) -> int:
    """Return `number`, if `name` had none as high in this database yet, else its next one, in a transaction that writes."""
    this = (counters.c.kind == kind, counters.c.name == name)
    last = connection.execute(select(counters.c.last).where(*this)).scalar()
    if last is None:
        connection.execute(insert(counters).values(kind=kind, name=name, last=number))
    elif last < number:
        connection.execute(update(counters).where(*this).values(last=number))
    else:
        return count_up(connection, kind, name)
    return number


@contextmanager
def store_errors(place: Path | str) -> Iterator[None]:
    """Turn what databases and files raise within the block into a `StoreError` of one sentence about `place`."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig or error
        raise (of_sqlite if isinstance(cause, sqlite3.Error) else of_postgres)(place, cause) from error
    except sqlite3.Error as error:
        raise of_sqlite(place, error) from error
    except OSError as error:
        raise of_file(place, error) from error
    except ValueError as error:  # of a value that was read: what was written can be read as a date, a number, JSON
        raise damaged(place, error) from error
