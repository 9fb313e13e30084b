from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from store_samples import search_of, train

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import Parent, RunFilter, RunStatus, Trial
from jupyter_mltrain.store.migrate import NEWEST, upgrade
from jupyter_mltrain.store.processes import this_process
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


def test_runs_of_the_schema_before_searches_are_runs_of_their_own(home: Path) -> None:
    make_database(home, (SCHEMAS / "0001.sql").read_text())
    store = Store(home)
    assert [(run.ref, run.trial) for run in store.runs.list(RunFilter())] == [("lost#1", None), ("digits#1", None)]
    assert store.runs.names() == ("digits", "lost")
    assert store.searches.list() == ()
    search = search_of(store, 2)
    assert (search.ref, [trial.ref for trial in search.trials]) == ("digits#1", ["digits#1/1", "digits#1/2"])
    assert [run.ref for run in store.runs.list(RunFilter())] == ["lost#1", "digits#1"]


@pytest.mark.parametrize(
    "schema", [path for path in sorted(SCHEMAS.glob("*.sql")) if path.stem >= "0002"], ids=lambda path: path.stem
)
def test_a_home_of_every_past_schema_opens_with_its_searches(home: Path, schema: Path) -> None:
    make_database(home, schema.read_text())
    store = Store(home)
    search = store.searches.get("digits#1")
    assert (search.status, search.note, search.tags, search.options) == (
        RunStatus.INTERRUPTED,
        "kept",
        {"team": "vision"},
        {"trials": 3},
    )
    assert search.facts == {"objectives": ["val_loss:min"], "seed": 7, "said": ["Interrupted."]}
    assert store.searches.state(search.id) == {"tried": [16, 32], "told": [1.0]}
    first, second = search.trials
    assert (first.trial, len(first.epochs)) == (
        Trial(search="digits#1", number=1, values={"units": 16}, scores={"val_loss": 1.0}),
        2,
    )
    assert (second.ref, second.status, second.trial.values["units"]) == ("digits#1/2", RunStatus.RUNNING, 32)
    assert search.best == first
    store.searches.resume_search(search.id, this_process())
    again = store.searches.restart_trial(second.id, this_process())
    assert (again.ref, again.process) == ("digits#1/2", this_process())


@pytest.mark.parametrize("schema", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
def test_versions_of_every_past_schema_can_get_aliases(home: Path, schema: Path) -> None:
    make_database(home, schema.read_text())
    store = Store(home)
    seen = store.aliases.standing("digits")["digits"].get("live")
    assert (seen, store.models.get("digits@1").archived) == (None, None)
    store.aliases.move("digits", "live", 1, seen=None, reason="", user="ada")
    assert store.models.get("digits@live").ref == "digits@1"


@pytest.mark.parametrize(
    "schema", [path for path in sorted(SCHEMAS.glob("*.sql")) if path.stem >= "0003"], ids=lambda path: path.stem
)
def test_a_home_of_every_past_schema_opens_with_its_aliases(home: Path, schema: Path) -> None:
    make_database(home, schema.read_text())
    store = Store(home)
    assert store.aliases.standing() == {"digits": {"champion": 1, "staging": 2}}
    moves = store.aliases.history("digits", "champion")
    assert [(each.version, each.user, each.reason, each.is_rollback) for each in moves] == [
        (1, "ada", "first", False),
        (2, "bob", "fewer errors", False),
        (1, "ada", "it was slow", True),
    ]
    archived, *used = [version.archived for version in store.models.list("digits")]
    assert used == [None, None]
    assert archived is not None
    assert (archived.user, archived.reason) == ("ada", "a mistake")
    assert store.models.get("digits").ref == "digits@2"


@pytest.mark.parametrize("schema", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
def test_runs_of_every_past_schema_can_be_forked(home: Path, schema: Path) -> None:
    make_database(home, schema.read_text())
    store = Store(home)
    parent = store.runs.get("digits#1")
    assert parent.parent is None
    is_kept = [("tuned#1", Parent(id=parent.id, ref="digits#1", epoch=2))] if schema.stem >= "0004" else []
    assert [(run.ref, run.parent) for run in store.runs.families() if run.parent] == is_kept
    assert train(store, parent=Parent(id=parent.id, ref="digits#1", epoch=4)) in [
        store.runs.get(run.id) for run in store.runs.families()
    ]


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
