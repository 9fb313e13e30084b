"""What is true of a store on PostgreSQL alone: its errors, its locks, several processes, and a server that goes away."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, select
from store_samples import begin, register, some_epochs, train
from store_writers import at_once, move_until_done, open_home, register_versions, train_runs

from jupyter_mltrain.domain.address import StoreAddress
from jupyter_mltrain.domain.errors import MissingExtraError, StoreAwayError, StoreError
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.store import postgres as database_module
from jupyter_mltrain.store.postgres import open_database
from jupyter_mltrain.store.schema import epochs, metadata
from jupyter_mltrain.store.store import Store
from tests.postgres import Server


@pytest.fixture(scope="module")
def address(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> StoreAddress:
    """A database with tables, that all tests of this module fill."""
    address = postgres.new_database("filled")
    Store(tmp_path_factory.mktemp("first"), address).close()
    return address


@pytest.fixture
def store(address: StoreAddress, home: Path) -> Iterator[Store]:
    store = Store(home, address)
    yield store
    store.close()


def trouble(home: Path, address: StoreAddress) -> str:
    with pytest.raises(StoreError) as error:
        Store(home, address)
    assert not home.exists()
    return str(error.value)


def test_a_server_that_does_not_answer_or_let_in_is_told_without_the_password(home: Path, postgres: Server) -> None:
    shown = f"expected to reach postgresql://ada@127.0.0.1:{postgres.port}/team, received "
    wrong = trouble(home, postgres.address(password="a-wrong-one"))
    assert wrong.startswith(shown)
    assert wrong.endswith("put the right one into ~/.pgpass or PGPASSWORD")
    assert "a-wrong-one" not in wrong
    assert trouble(home, postgres.address(database="nothing")).endswith("have it made on the server, or write another in the URL")
    closed = trouble(home, StoreAddress(f"postgresql://ada:{postgres.password}@127.0.0.1:1/team"))
    assert closed.startswith("expected to reach postgresql://ada@127.0.0.1:1/team, received 'connection ")
    assert closed.endswith("start the server, or check host, port and network")
    assert postgres.password not in closed


def test_a_user_without_rights_and_a_database_that_may_only_be_read_are_told(home: Path, postgres: Server) -> None:
    postgres.new_database("narrow")
    postgres.execute("DROP ROLE IF EXISTS bob", "CREATE ROLE bob LOGIN PASSWORD 'b'")
    assert trouble(home, postgres.address("narrow", "bob", "b")).endswith("ask its owner to grant you that")
    postgres.execute("ALTER DATABASE narrow SET default_transaction_read_only = on")
    assert trouble(home, postgres.address("narrow")).endswith("write the URL of the server that takes writes")


def test_a_newer_schema_and_a_database_of_something_else_are_refused(home: Path, postgres: Server) -> None:
    address = postgres.new_database("strange")
    postgres.execute("CREATE TABLE customers (id integer)", database="strange")
    assert "received one that holds customers: choose another" in trouble(home, address)
    version = "CREATE TABLE alembic_version (version_num text)"
    postgres.execute(version, "INSERT INTO alembic_version VALUES ('0999')", database="strange")
    assert "or older, received schema 0999, of a newer jupyter_mltrain: update this one" in trouble(home, address)


def test_without_the_driver_it_is_told_how_to_install_it(
    home: Path, address: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r'it is not installed: pip install "jupyter-mltrain\[postgres\]"'):
        Store(home, address)


def test_an_old_schema_is_upgraded_in_steps_to_the_tables_of_the_code(home: Path, postgres: Server) -> None:
    address = postgres.new_database("old")
    database = open_database(address)
    config = Config()
    config.set_main_option("script_location", "jupyter_mltrain.store:migrations")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    columns = 'id, name, number, status, started_at, "user", host, pid, process_started, source, note, options, facts'
    row = "'d202ahhj7pzj', 'digits', 1, 'died', now(), 'ada', 'elsewhere', 7, 1.5, '', '', '{}', '{\"seed\": 7}'"
    counted = "INSERT INTO counters VALUES ('run', 'digits', 1)"
    postgres.execute(f"INSERT INTO runs ({columns}) VALUES ({row})", counted, database="old")
    store = Store(home, address)
    run = store.runs.get("digits#1")
    assert (run.status, run.facts, run.trial, train(store).ref) == (RunStatus.DIED, {"seed": 7}, None, "digits#2")
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    store.close()
    database.close()


def test_processes_that_open_a_new_database_at_once_all_can(home: Path, postgres: Server) -> None:
    there = (home, postgres.new_database("new"))
    assert sorted(at_once(open_home, there, num_processes=4)) == [f"digits#{number}" for number in range(1, 5)]


def test_processes_that_write_at_once_lose_nothing(store: Store, address: StoreAddress) -> None:
    there = (store.home, address)
    finished = [run_id for ids in at_once(train_runs, there, 5, num_processes=4) for run_id in ids]
    runs = store.runs.list(RunFilter(name="shared", limit=1000))
    assert {run.id for run in runs} == set(finished)
    assert sorted(run.number for run in runs) == list(range(1, 21))
    run = train(store)
    (run.folder / "best.keras").write_bytes(b"weights")
    made = [ref for refs in at_once(register_versions, there, run.id, 3, num_processes=4) for ref in refs]
    assert sorted(made) == sorted(f"digits@{version}" for version in range(1, 13))
    moved = sum(at_once(move_until_done, there, 5, num_processes=4))
    assert [move.number for move in store.aliases.history("digits", "champion")] == list(range(1, moved + 1))


def test_a_forked_process_has_connections_of_its_own(store: Store) -> None:
    run = begin(store, "forked")
    child = os.fork()
    if not child:
        store.runs.append_epochs(run.id, some_epochs(2))
        os._exit(len(store.runs.get(run.id).epochs))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert store.runs.get(run.id).epochs == tuple(some_epochs(2))


def test_a_lock_that_stays_is_an_error_and_readers_wait_for_nobody(
    store: Store, address: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_BEGIN_WRITING", database_module._BEGIN_WRITING.replace("30s", "50ms"))
    run = train(store, "locked")
    with store.database.write():
        with pytest.raises(StoreAwayError, match="within 30 seconds, received 'canceling statement due to lock timeout'"):
            begin(store)
        assert store.runs.get("locked") == run


def test_a_block_of_reading_sees_one_state_and_one_that_raises_writes_nothing(store: Store) -> None:
    run = begin(store, "still")
    num_epochs = select(func.count()).select_from(epochs).where(epochs.c.run_id == run.id)
    with store.database.read() as connection:
        before = connection.execute(num_epochs).scalar()
        store.runs.append_epochs(run.id, some_epochs(3))
        assert connection.execute(num_epochs).scalar() == before == 0
    orphan = {"run_id": "nothing", "number": 1, "phase": 1, "seconds": 0.0, "metrics": {}}
    with pytest.raises(StoreError, match="foreign key"), store.database.write() as connection:
        connection.execute(insert(epochs), orphan)


def test_names_that_no_index_can_hold_are_told(store: Store) -> None:
    with pytest.raises(StoreError, match="expected names and labels of at most 2000 characters"):
        begin(store, os.urandom(4000).hex())


def test_findings_tell_of_the_server(store: Store, postgres: Server) -> None:
    register(store, train(store))
    found = store.findings()
    assert f"Store: postgresql://ada@127.0.0.1:{postgres.port}/filled, PostgreSQL " in found[1]
    assert found[2] == "Durability: synchronous_commit is on and fsync off: a loss of power may lose the last runs."
    assert found[-1] == "Leftovers: none."


def test_a_server_that_was_away_is_found_again(store: Store, postgres: Server) -> None:
    run = begin(store, "away")
    postgres.stop()
    for use in (lambda: store.runs.append_epochs(run.id, some_epochs(2)), lambda: store.runs.get("away")):
        with pytest.raises(StoreAwayError, match="expected to reach postgresql://ada@127"):
            use()
    postgres.start()
    store.runs.append_epochs(run.id, some_epochs(2))
    assert store.runs.get("away").epochs == tuple(some_epochs(2))
