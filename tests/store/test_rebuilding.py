"""A database that is damaged or gone is built anew from the records beside the files."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from store_samples import begin, everything, fill, move, register, some_epochs, train
from store_writers import PROCESSES, start, train_through_damage

from jupyter_mltrain.domain.errors import StoreAwayError
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.store import record_files
from jupyter_mltrain.store.store import Store


def is_no_database(path: Path) -> None:
    path.write_bytes(b"a thesis" * 1000)


def is_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def is_empty(path: Path) -> None:
    path.write_bytes(b"")


def is_gone(path: Path) -> None:
    path.unlink()


def has_a_damaged_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):  # the head of every page but the first, which the schema needs
        content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)


def has_a_damaged_value(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"epochs":4', b'"epochs";4'))


DAMAGES = [is_no_database, is_half, is_empty, is_gone, has_a_damaged_page, has_a_damaged_value]


@pytest.mark.parametrize("damage", DAMAGES)
def test_all_comes_back(store: Store, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture) -> None:
    fill(store)
    running = begin(store, "running", facts={"seed": 7})
    store.runs.add_facts(running.id, {"model": "cnn"})
    for epoch in some_epochs(3):
        store.runs.append_epochs(running.id, [epoch])
    before = everything(store)
    store.close()
    damage(store.home / "mltrain.db")
    again = Store(store.home)
    try:
        assert everything(again) == before
    except StoreAwayError:  # it is met where it is read
        assert everything(again) == before
    (said,) = caplog.messages
    assert "another was built from the files" in said
    assert "(runs: 6, searches: 1, model versions: 3; nothing is missing)" in said
    assert (train(again).ref, register(again, train(again)).ref) == ("digits#3", "digits@3")
    assert move(again, 3).number == 2


def test_damage_that_is_met_later_is_an_error_once(store: Store) -> None:
    run = train(store)
    is_no_database(store.home / "mltrain.db")
    with pytest.raises(StoreAwayError, match=r"was set aside as mltrain\.db\.damaged-\d{8}-.*runs: 1, .*: do that again"):
        store.runs.get("digits")
    assert store.runs.get("digits") == run
    (aside,) = store.home.glob("mltrain.db.damaged-*")
    assert aside.read_bytes() == b"a thesis" * 1000


def test_what_cannot_be_brought_back_is_named(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    fill(store)
    kept, damaged, partly, without = (store.runs.get(ref) for ref in ("digits#2", "digits#1", "other", "digits#1/1"))
    store.runs.append_epochs(partly.id, some_epochs(6)[4:])
    for run, what in ((damaged, b'"number"'), (partly, b'"number":6')):
        file = run.folder / record_files.NAME
        file.write_bytes(file.read_bytes().replace(what, what.replace(b"n", b"m")))
    (without.folder / record_files.NAME).unlink()
    is_gone(store.home / "mltrain.db")
    again = Store(store.home)
    assert {run.id for run in again.runs.list(RunFilter())} == {kept.id, partly.id}
    assert again.runs.get(kept.id) == kept
    assert len(again.runs.get(partly.id).epochs) == 4
    assert [trial.ref for trial in again.searches.get("digits").trials] == ["digits#1/2"]
    (said,) = caplog.messages
    assert f"runs/{damaged.id}, whose record is damaged" in said
    assert f"a part of runs/{partly.id}, whose record is damaged" in said
    assert f"runs/{without.id}, which has no record" in said


def test_every_flipped_bit_of_a_record_is_found(store: Store, faults: Any) -> None:
    run = begin(store)
    for epoch in some_epochs(3):
        store.runs.append_epochs(run.id, [epoch])
    file = run.folder / record_files.NAME
    whole = file.read_bytes()
    seed = random.SystemRandom().randrange(2**32)
    for bit in random.Random(seed).choices(range(8 * len(whole)), k=500):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        try:
            _, num_damaged = record_files.read(file)
            assert num_damaged, f"bit {bit}, seed {seed}"
        except ValueError:
            pass
    faults.report(f"500 flipped bits in the record of a run, all found, seed {seed}")


def test_processes_whose_database_is_damaged_under_their_hands_lose_nothing(home: Path, faults: Any) -> None:
    num_damages = faults.number(3)
    store = Store(home)
    pipes = [PROCESSES.Pipe() for _ in range(4)]
    writers = [start(train_through_damage, home, theirs) for _, theirs in pipes]
    ours = [mine for mine, _ in pipes]
    for pipe in ours:
        assert pipe.recv() == "ready"
    for number in range(num_damages):
        wait_for(home, "runs/*", num_of(home, "runs/*") + 20)
        num_before = num_of(home, "mltrain.db.damaged-*")
        (is_no_database, has_a_damaged_page)[number % 2](home / "mltrain.db")
        wait_for(home, "mltrain.db.damaged-*", num_before + 1)
    for pipe in ours:
        pipe.send("stop")
    finished = [run_id for pipe in ours for run_id in pipe.recv()]
    for writer in writers:
        writer.join()
    completed = [run.id for run in store.runs.list(RunFilter(status=RunStatus.COMPLETED, limit=100_000))]
    assert sorted(completed) == sorted(finished)
    assert all(len(store.runs.get(run_id).epochs) == 4 for run_id in finished)
    faults.report(f"{num_damages} damages of a database that 4 processes write, {len(finished)} runs, none lost, none doubled")


def num_of(home: Path, what: str) -> int:
    return len(list(home.glob(what)))


def wait_for(home: Path, what: str, number: int) -> None:
    while num_of(home, what) < number:
        time.sleep(0.01)
