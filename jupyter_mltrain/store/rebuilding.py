"""A damaged SQLite database is set aside, and another is built from the records that lie beside the files of runs and models."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from jupyter_mltrain.domain.errors import StoreAwayError, StoreDamagedError, StoreError
from jupyter_mltrain.domain.files import partial_path, settle
from jupyter_mltrain.store.database import Database, store_errors
from jupyter_mltrain.store.kept_records import KeptRecords, record_paths
from jupyter_mltrain.store.migrate import upgrade
from jupyter_mltrain.store.schema import metadata
from jupyter_mltrain.store.sqlite import Journal, check_whole, open_database

_BESIDE = ("-wal", "-shm", "-journal", "")  # what SQLite keeps beside one database it would play into the next


def open_or_rebuild(path: Path) -> Database:
    """Return the database in the file `path` with the newest schema.

    One that is damaged, or gone while there are runs or models, is built anew, and so it is whenever damage is met later:
    whatever meets it then raises a `StoreAwayError`, since it can be done again.

    Raises:
        StoreError: it cannot be read, made, upgraded or built anew.
    """
    try:
        with _mending(path):
            if _is_gone(path):
                raise StoreDamagedError(f"expected a database at {path}, received none, though there are runs or models")
            return _opened(path)
    except StoreAwayError:  # it was built anew, or is locked
        return _opened(path)


def _opened(path: Path) -> Database:
    database = open_database(path)
    upgrade(database)
    database.guard = lambda: _mending(path)
    return database


def _is_gone(path: Path) -> bool:
    return not (path.exists() and path.stat().st_size) and any(record_paths(path.parent))


@contextmanager
def _mending(path: Path) -> Iterator[None]:
    """Build the database anew if the block finds it damaged.

    Raises:
        StoreAwayError: it was built anew, now or by another process during the block.
        StoreDamagedError: what the block found is no damage of the file.
    """
    before = _identity(path)
    try:
        yield
    except StoreDamagedError as error:
        raise _mended(path, before, error) from error
    if before not in (None, _identity(path)):  # what the block wrote, it wrote into the former one
        raise _built_anew(path)


def _mended(path: Path, before: int | None, error: StoreDamagedError) -> StoreError:
    """Build a damaged database anew, in one process at a time, log that, and return what to tell whoever met the damage."""
    import fcntl  # which Windows has not, where a home is opened all the same

    with store_errors(path), path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _identity(path) != before:
            return _built_anew(path)
        if _is_whole(path):
            return error
        said = _rebuilt(path)
    logging.getLogger(__name__).warning("%s.", said)
    return StoreAwayError(f"expected a whole database, received a damaged one. {said}: do that again")


def _built_anew(path: Path) -> StoreError:
    return StoreAwayError(f"expected a whole database at {path}, received a damaged one, built anew meanwhile: do that again")


def _identity(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _is_whole(path: Path) -> bool:
    """Tell whether all that is in a database can be read."""
    try:
        database = open_database(path)
        check_whole(database)
        with database.read() as connection:
            for table in metadata.sorted_tables:
                for _ in connection.execute(select(table)):
                    pass
    except StoreDamagedError:
        return False
    return True


def _rebuilt(path: Path) -> str:
    """Put a new database in the place of a damaged one, and tell of it."""
    records = KeptRecords(path.parent)
    partial = partial_path(path)
    try:
        _fill(partial, records.fill)
        aside = _set_aside(path)
        settle(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _fill(path, records.add_late)
    return f"{aside}, and another was built from the files in {path.parent} ({records.told()})"


def _fill(path: Path, put: Callable[[Connection], None]) -> None:
    database = open_database(path, Journal.ROLLBACK)
    upgrade(database)
    with database.write() as connection:
        put(connection)
    database.close()


def _set_aside(path: Path) -> str:
    """Give a damaged database and what SQLite keeps beside it another name, and tell which."""
    if not path.exists():
        return f"The database {path} was gone"
    aside = path.with_name(f"{path.name}.damaged-{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}")
    for ending in _BESIDE:
        part = path.with_name(path.name + ending)
        if part.exists():
            part.replace(f"{aside}{ending}")
    return f"The database {path} was damaged, it was set aside as {aside.name}"
