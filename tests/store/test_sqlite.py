from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.store.database import Database, count_up
from jupyter_mltrain.store.migrate import upgrade
from jupyter_mltrain.store.schema import counters, epochs
from jupyter_mltrain.store.sqlite import Journal, choose_journal, findings, open_database, wal_is_safe


def journal_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_versions_with_the_wal_bug_are_known(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) is safe


def test_wal_is_chosen_where_neither_version_nor_file_system_forbids_it() -> None:
    assert choose_journal((3, 51, 3), "ext4") is Journal.WAL
    assert choose_journal((3, 51, 2), "ext4") is Journal.ROLLBACK
    assert choose_journal((3, 51, 3), "nfs4") is Journal.ROLLBACK


def test_the_safe_journal_is_in_force_and_told(tmp_path: Path) -> None:
    database = open_database(tmp_path / "new.db")
    upgrade(database)
    expected = choose_journal(sqlite3.sqlite_version_info, "ext4")
    assert journal_of(database.place) == expected
    assert any(sentence.startswith(f"Journal in force: {expected.name.lower()},") for sentence in findings(database))
    assert any(sentence.startswith(f"SQLite {sqlite3.sqlite_version}: ") for sentence in findings(database))


@pytest.mark.parametrize("journal", Journal)
def test_both_journals_hold_what_threads_write_at_once(tmp_path: Path, journal: Journal) -> None:
    database = open_database(tmp_path / "new.db", journal)
    upgrade(database)

    def count(_: int) -> int:
        with database.write() as connection:
            return count_up(connection, "run", "digits")

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(count, range(64))) == list(range(1, 65))
    assert journal_of(database.place) == journal


def test_a_database_in_wal_mode_leaves_it_where_it_is_not_safe(tmp_path: Path) -> None:
    upgrade(open_database(tmp_path / "new.db", Journal.WAL))
    with closing(sqlite3.connect(tmp_path / "new.db")) as other:
        other.execute("SELECT * FROM runs").fetchall()
        open_database(tmp_path / "new.db", Journal.ROLLBACK)
        assert journal_of(tmp_path / "new.db") == "wal"
    open_database(tmp_path / "new.db", Journal.ROLLBACK)
    assert journal_of(tmp_path / "new.db") == "delete"


def test_every_connection_is_durable_and_keeps_references(database: Database) -> None:
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 3
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    orphan = {"run_id": "nothing", "number": 1, "phase": 1, "seconds": 0.0, "metrics": {}}
    with pytest.raises(StoreError, match="FOREIGN KEY"), database.write() as connection:
        connection.execute(insert(epochs), orphan)


def interrupted(database: Database) -> None:
    with database.write() as connection:
        count_up(connection, "run", "digits")
        raise KeyboardInterrupt


def test_a_block_that_raises_writes_nothing(database: Database) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(database)
    with database.read() as connection:
        assert connection.execute(select(counters)).all() == []


def test_a_block_of_reading_sees_one_state(database: Database) -> None:
    with database.write() as connection:
        count_up(connection, "run", "digits")
    writer = (
        "import sys, sqlite3; sqlite3.connect(sys.argv[1], timeout=0).execute('UPDATE counters SET last = 9').connection.commit()"
    )
    with database.read() as connection:
        assert connection.execute(select(counters.c.last)).scalar() == 1
        subprocess.run([sys.executable, "-c", writer, database.place], check=False, capture_output=True)
        assert connection.execute(select(counters.c.last)).scalar() == 1


def test_a_lock_that_stays_is_an_error(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mltrain.store.sqlite._BUSY_TIMEOUT", 0)
    impatient = open_database(database.place)
    with database.write(), pytest.raises(StoreError, match="received a lock of another process"), impatient.write():
        pass


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database(tmp_path / "new.db")
    upgrade(database)
    return database
