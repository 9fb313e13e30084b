from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from store_samples import train

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.store.migrate import NEWEST, upgrade
from jupyter_mltrain.store.schema import metadata
from jupyter_mltrain.store.sqlite import open_database
from jupyter_mltrain.store.store import Store

SCHEMAS = Path(__file__).parent / "schemas"


def revisions() -> list[str]:
    config = Config()
    config.set_main_option("script_location", "jupyter_mltrain.store:migrations")
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def make_database(home: Path, sql: str) -> Path:
    home.mkdir()
    with closing(sqlite3.connect(home / "mltrain.db")) as connection:
        connection.executescript(sql)
    return home / "mltrain.db"


def test_the_newest_revision_is_the_last_step_and_every_schema_is_kept() -> None:
    assert max(revisions()) == NEWEST
    assert sorted(revisions()) == sorted(path.stem for path in SCHEMAS.glob("*.sql"))


def test_the_steps_lead_to_the_tables_of_the_code(tmp_path: Path) -> None:
    database = open_database(tmp_path / "new.db")
    upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("schema", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_home_of_every_past_schema_opens_with_all_it_held(home: Path, schema: Path) -> None:
    make_database(home, schema.read_text())
    store = Store(home)
    run = store.runs.get("digits#1")
    assert (run.status, run.note, run.tags, run.facts) == (RunStatus.COMPLETED, "kept", {"team": "vision"}, {"seed": 7})
    assert [epoch.metrics["loss"] for epoch in run.epochs] == [1.0, 0.5, 1 / 3, 0.25]
    assert run.result is not None
    assert run.result.best_metrics["accuracy"] == 0.875
    assert [found.ref for found in store.runs.list(RunFilter(best="accuracy", model="digits"))] == ["digits#1"]
    assert store.models.get("digits@1").metrics == {"val_loss": 0.25}
    assert train(store).ref == "digits#2"


def test_a_newer_schema_is_refused_and_left_as_it_is(home: Path) -> None:
    path = make_database(home, "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('0999')")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"schema {NEWEST} or older, received schema 0999, .* update this one"):
        Store(home)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_and_left_as_it_is(home: Path) -> None:
    path = make_database(home, "CREATE TABLE customers (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="received one that holds customers: choose another home"):
        Store(home)
    assert path.read_bytes() == before
