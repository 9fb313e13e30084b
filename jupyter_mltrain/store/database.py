"""Transactions, and the one edge where foreign errors become ours."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.store.schema import counters

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Database:
    """The tables of one home.

    Threads and forked processes may share it: every block of work has a connection of its own. What a block wrote is
    on the disk when the block has ended, and none of it is if the block raised or the process died.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        """Work on `engine`; `path` is what messages name."""
        self.path = path
        self.engine = engine
        self._writer = engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database until the block ends.

        Raises:
            StoreError: the database cannot be read.
        """
        with store_errors(self.path), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection that alone may write until the block ends, and commit then.

        Raises:
            StoreError: the database cannot be written.
        """
        with store_errors(self.path), self._writer.begin() as connection:
            yield connection

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


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what databases and files raise within the block into a `StoreError` of one sentence about `path`."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(_of_database(path, error.orig or error)) from error
    except sqlite3.Error as error:
        raise StoreError(_of_database(path, error)) from error
    except OSError as error:
        raise StoreError(_of_file(Path(error.filename or path), error)) from error
    except ValueError as error:  # of a value that was read: what was written can be read as a date, a number, JSON
        raise StoreError(_damaged(path, error)) from error


def _of_database(path: Path, error: BaseException) -> str:
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"expected to write {path} within 30 seconds, received a lock of another process: try again, or end that process"
    if code == "SQLITE_FULL":
        return _full(path, error)
    unreadable_text = str(error).startswith("Could not decode")  # of the driver itself, which gives no code
    if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or unreadable_text:
        return _damaged(path, error)
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return _forbidden(path, error)
    return f"expected to read and write {path}, received {str(error)!r}: check the disk; %mltrain doctor looks closer"


def _of_file(path: Path, error: OSError) -> str:
    return _full(path, error) if error.errno in _FULL else _forbidden(path, error)


def _full(path: Path, error: BaseException) -> str:
    return f"expected free space to write {path}, received {str(error)!r}: free some; what was recorded before is kept"


def _damaged(path: Path, error: BaseException) -> str:
    return (
        f"expected a whole SQLite database at {path}, received a damaged one ({error}): it was left as it is; put a "
        "copy of it in its place, or move it away to begin a new one"
    )


def _forbidden(path: Path, error: BaseException) -> str:
    return (
        f"expected to read and write {path}, received {str(error)!r}: change its permissions, or choose another home "
        "with %config MLTrain.home"
    )
