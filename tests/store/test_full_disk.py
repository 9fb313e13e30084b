"""A disk without room, and one that may only be read."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from store_samples import begin, register, register_file, train
from store_writers import at_once, register_too_large, train_until_full

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.store import sqlite
from jupyter_mltrain.store.processes import this_process
from jupyter_mltrain.store.sqlite import Journal
from jupyter_mltrain.store.store import Store


def test_when_files_cannot_grow_what_was_finished_is_kept(home: Path) -> None:
    ((finished, error),) = at_once(train_until_full, home, 400_000, num_processes=1)
    assert error.startswith("expected ")
    assert str(home) in error
    assert len(finished) > 5
    assert_kept(home, finished)


def test_a_version_that_finds_no_room_is_none(store: Store) -> None:
    run = train(store)
    file = run.folder / "best.keras"
    file.write_bytes(b"x" * 1_000_000)
    (error,) = at_once(register_too_large, store.home, run.id, file, 500_000, num_processes=1)
    assert error.startswith("expected free space to write ")
    assert store.models.list() == ()
    assert list((store.home / "models").rglob("*.keras")) == []


def test_a_full_disk_keeps_what_was_finished(small_disk: Path, tmp_path: Path) -> None:
    store = Store(small_disk / "home")
    to_free = small_disk / "old"
    to_free.write_bytes(b"x" * 200_000)
    finished: list[str] = []
    with pytest.raises(StoreError, match=r"expected free space to write .* free some"):
        finished.extend(train(store, facts={"padding": "x" * 5000}).id for _ in range(1000))
    model = tmp_path / "best.keras"
    model.write_bytes(b"x" * 1_000_000)
    with pytest.raises(StoreError, match="expected free space to write"):
        register_file(store, store.runs.get(finished[0]), model)
    assert store.models.list() == ()
    assert Store(store.home).runs.count(RunFilter(status=RunStatus.COMPLETED)) == len(finished)
    to_free.unlink()
    assert_kept(store.home, finished)


@pytest.mark.parametrize("journal", Journal)
def test_a_disk_that_may_only_be_read_is_an_error_and_still_read(
    journal: Journal, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "choose_journal", lambda *_: journal)
    store = Store(small_disk / "home")
    run = train(store)
    lost = begin(store, "lost", process=replace(this_process(), started=0.0))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for write in (lambda: begin(store), lambda: store.runs.add_facts(run.id, {}), lambda: store.runs.remove([run.id])):
        with pytest.raises(StoreError, match="make it writable, or choose another home"):
            write()
    with pytest.raises(StoreError, match="make it writable, or choose another home"):
        register_file(store, run, Path(__file__))
    assert Store(store.home).runs.list(RunFilter()) == (lost, replace(run, epochs=()))


def assert_kept(home: Path, finished: list[str]) -> None:
    store = Store(home)
    completed = store.runs.list(RunFilter(status=RunStatus.COMPLETED, limit=10_000))
    assert {run.id for run in completed} == set(finished)
    assert all(len(store.runs.get(run.id).epochs) == 4 for run in completed)
    assert "Integrity: SQLite's quick check found nothing wrong." in store.findings()
    store.runs.remove(finished[:5])
    assert register(store, train(store)).ref == "digits@1"
