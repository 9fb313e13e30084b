"""Everything that is true of SQLite only: how a connection behaves, and which journal protects the database.

SQLite 3.7.0 to 3.51.2 can damage a database in WAL mode when two connections write or checkpoint at the same moment
(https://www.sqlite.org/wal.html#walresetbug; also mended in 3.50.7 and 3.44.6), and WAL needs memory that all its
processes share, which a network file system cannot give. In both cases the rollback journal is used, which has neither
trouble but makes a writer wait for readers; else WAL. `synchronous=EXTRA` lets a commit survive a loss of power in
both modes; a run commits at most once a second, so it costs little.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor

from jupyter_mltrain.store import codec
from jupyter_mltrain.store.database import Database, store_errors
from jupyter_mltrain.store.file_system import file_system, is_local
from jupyter_mltrain.store.sqlite_errors import damaged

_BUSY_TIMEOUT = 30  # seconds that a transaction waits for others


class Journal(StrEnum):
    """What brings the database back to a whole state after a crash; the values are SQLite's own names."""

    ROLLBACK = "delete"
    WAL = "wal"


def open_database(path: Path, journal: Journal | None = None) -> Database:
    """Return the database in the file `path`, which is made if there is none.

    Args:
        path: the file; its folder must exist.
        journal: the journal to use; None for the one that is safe here.

    Raises:
        StoreError: the file cannot be opened, or is no SQLite database.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,  # opening takes 0.2 ms, and neither threads nor forked processes share a connection
        connect_args={"timeout": _BUSY_TIMEOUT},
        json_serializer=codec.dumps,
        json_deserializer=codec.loads,
    )
    event.listen(engine, "do_connect", _choose_way)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    database = Database(path, engine)
    _set_journal(database, journal or choose_journal(sqlite3.sqlite_version_info, file_system(path)))
    return database


def _choose_way(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    """Open a file that cannot change as such: in WAL mode SQLite cannot read one where it can make no files beside it."""
    path = Path(arguments[0]).absolute()
    is_in_use = any(path.with_name(path.name + ending).exists() for ending in ("-wal", "-journal"))
    if not os.access(path.parent, os.W_OK) and not is_in_use:
        arguments[0], options["uri"] = f"{path.as_uri()}?immutable=1", True


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # sqlite3 begins no transaction by itself: `_begin` alone does
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=EXTRA")


def _begin(connection: Connection) -> None:
    # a plain BEGIN takes the write lock at its first write, and is refused then without waiting if others write
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Tell whether this version of SQLite is free of the WAL bug that the module's text describes."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def choose_journal(version: tuple[int, ...], file_system_name: str) -> Journal:
    """Return the journal that is safe with a version of SQLite on a file system."""
    return Journal.WAL if wal_is_safe(version) and is_local(file_system_name) else Journal.ROLLBACK


def _set_journal(database: Database, wanted: Journal) -> None:
    with _driver_cursor(database) as cursor:
        if _value(cursor, "PRAGMA journal_mode") != wanted:
            with suppress(sqlite3.OperationalError):  # in use at this moment: the mode of the others stays for now
                cursor.execute(f"PRAGMA journal_mode={wanted}")


@contextmanager
def _driver_cursor(database: Database) -> Iterator[DBAPICursor]:
    with database.guard(), store_errors(database.place), closing(database.engine.raw_connection()) as connection:
        yield connection.cursor()  # outside of a transaction, where alone the journal mode can be changed


def _value(cursor: DBAPICursor, statement: str) -> str:
    cursor.execute(statement)
    return str(cursor.fetchall()[0][0])


def findings(database: Database) -> tuple[str, ...]:
    """Tell in plain sentences how the database is protected and whether it is whole."""
    check_whole(database)
    with _driver_cursor(database) as cursor:
        journal = Journal(_value(cursor, "PRAGMA journal_mode"))
    return (
        _file_system_finding(Path(database.place)),
        _version_finding(),
        f"Journal in force: {journal.name.lower()}, synchronous: EXTRA, so a finished run survives a loss of power.",
        "Integrity: SQLite's quick check found nothing wrong.",
    )


def check_whole(database: Database) -> None:
    """Raise `StoreDamagedError` if SQLite's quick check finds damage."""
    with _driver_cursor(database) as cursor:
        check = _value(cursor, "PRAGMA quick_check(1)")
        if check != "ok":
            raise damaged(database.place, ValueError(check))


def _file_system_finding(path: Path) -> str:
    name = file_system(path)
    if is_local(name):
        return f"File system: {name}, local."
    return f"File system: {name}, of a network or of an unknown kind: WAL is not used there."


def _version_finding() -> str:
    version = sqlite3.sqlite_version
    if wal_is_safe(sqlite3.sqlite_version_info):
        return f"SQLite {version}: free of the bug that could damage a database in WAL mode."
    return (
        f"SQLite {version}: has the rare bug that can damage a database in WAL mode (mended in 3.51.3), "
        "so the rollback journal is used, which the bug does not touch."
    )
