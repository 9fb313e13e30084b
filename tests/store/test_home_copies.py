"""A home copied into another: from SQLite to SQLite, to PostgreSQL and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from store_samples import begin, everything, fill, move, register, search_of, train

from jupyter_mltrain.domain.copying import CopyReport
from jupyter_mltrain.domain.errors import OptionError, StoreError
from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.store import copied_runs
from jupyter_mltrain.store.copying import copy_home
from jupyter_mltrain.store.store import Store
from tests.postgres import Server


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "other")
    yield store
    store.close()


def assert_can_be_rebuilt(store: Store) -> None:
    before = everything(store)
    (store.home / "mltrain.db").unlink()
    assert everything(Store(store.home)) == before


def whole(store: Store) -> list[object]:
    *records, files = everything(store)
    return [*records, {path: content for path, content in files.items() if not path.name.startswith(".partial-")}]


def test_all_arrives_as_it_was_and_copying_again_does_nothing(store: Store, other: Store) -> None:
    fill(store)
    assert copy_home(store, other) == CopyReport(runs=3, searches=1, trials=2, versions=3, moves=1)
    assert everything(other) == whole(store)
    assert copy_home(store, other) == CopyReport(there_already=7)
    assert train(other).ref == "digits#3"
    assert other.models.verify(other.models.get("digits@champion")).read_bytes() == b"second"
    assert_can_be_rebuilt(other)


def test_a_home_goes_to_postgresql_and_back(store: Store, other: Store, postgres: Server, tmp_path: Path) -> None:
    fill(store)
    team = Store(tmp_path / "team", postgres.new_database("copied"))
    copy_home(store, team)
    assert everything(team) == whole(store)
    assert copy_home(team, other) == CopyReport(runs=3, searches=1, trials=2, versions=3, moves=1)
    assert everything(other) == whole(store)
    team.close()


def test_numbers_that_are_taken_become_the_next_and_what_refers_to_them_follows(store: Store, other: Store) -> None:
    theirs = train(other)
    register(other, theirs, content=b"theirs")
    search_of(other, 1)
    fill(store)
    second = store.runs.list(RunFilter(name="digits"))[0]
    result = replace(second.result, model_id="digits@2")
    store.runs.finish_run(second.id, status=second.status, result=result)
    report = copy_home(store, other)
    assert report.said == (
        "digits@1 is digits@2 there.",
        "digits@2 is digits@3 there.",
        "The search digits#1 is digits#2 there.",
        "digits#1 is digits#2 there.",
        "digits#2 is digits#3 there.",
    )
    assert other.runs.get("digits#1") == theirs
    assert other.runs.get("other").parent.ref == "digits#2"
    assert other.models.verify(other.models.get("digits@1")).read_bytes() == b"theirs"
    assert other.runs.get(second.id).result.model_id == "digits@3"
    assert (other.models.get("digits@3").run_ref, other.models.get("searched").run_ref) == ("digits#2", "digits#2/2")
    assert [trial.ref for trial in other.searches.get("digits#2").trials] == ["digits#2/1", "digits#2/2"]
    assert other.models.get("digits@champion").ref == "digits@3"
    assert other.models.get("digits@2").archived.reason == "worse"
    assert_can_be_rebuilt(other)


def test_what_came_since_is_added_and_an_alias_with_another_history_is_left(store: Store, other: Store) -> None:
    fill(store)
    copy_home(store, other)
    register(store, train(store), content=b"third")
    move(store, 3)
    assert copy_home(store, other) == CopyReport(runs=1, versions=1, moves=1, there_already=7)
    assert other.models.get("digits@champion").ref == "digits@3"
    move(other, 2)
    assert copy_home(store, other) == CopyReport(there_already=9)
    move(store, 2, reason="better after all")
    assert copy_home(store, other).said == ("digits@champion was left out: it has another history there.",)


def test_what_cannot_be_copied_is_said_and_the_rest_is(store: Store, other: Store) -> None:
    fill(store)
    begin(store, "busy")
    (store.home / "models" / "digits" / "1.keras").write_bytes(b"damaged")
    (store.home / "models" / "searched" / "1.keras").unlink()
    report = copy_home(store, other)
    assert report.said == (
        "digits@1 was left out: its file was changed or damaged since.",
        "searched@1 was left out: its file is missing.",
        "busy#1 was left out: it is running; copy again when it has ended.",
    )
    assert (report.runs, report.versions, report.moves) == (3, 1, 1)
    with pytest.raises(OptionError, match="expected two homes to copy from and to, received"):
        copy_home(store, store)


def test_a_copy_that_is_cut_short_leaves_whole_runs_and_is_gone_on_with(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    done = []

    def full(partial: Path, target: Path) -> None:
        if done:
            raise StoreError("the disk is full")
        done.append(partial.replace(target))

    monkeypatch.setattr(copied_runs, "move_folder", full)
    with pytest.raises(StoreError, match="the disk is full"):
        copy_home(store, other)
    monkeypatch.undo()
    assert (other.runs.count(RunFilter()), other.searches.count()) == (0, 0)
    copy_home(store, other)
    assert everything(other) == whole(store)
    assert list(other.home.rglob(".partial-*")) == []
