"""Several processes on one home, some of them killed."""

from __future__ import annotations

import os
import random
import secrets
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from store_samples import begin, register, register_file, train
from store_writers import (
    PROCESSES,
    at_once,
    begin_and_wait,
    open_home,
    register_from,
    register_versions,
    resume_run_when_told,
    start,
    train_runs,
    train_until_told,
)

from jupyter_mltrain.domain.files import PARTIAL_PREFIX
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.store.store import Store


def test_processes_that_open_a_new_home_at_once_all_can(home: Path) -> None:
    assert sorted(at_once(open_home, home)) == [f"digits#{number}" for number in range(1, 9)]


def test_four_writers_lose_nothing_and_meet_no_lock_error(home: Path, faults: Any) -> None:
    num_runs = faults.number(10)
    finished = [run_id for ids in at_once(train_runs, home, num_runs, num_processes=4) for run_id in ids]
    store = Store(home)
    runs = store.runs.list(RunFilter(limit=100_000))
    assert {run.id for run in runs} == set(finished)
    assert sorted(run.number for run in runs) == list(range(1, 4 * num_runs + 1))
    for run_id in finished:
        assert_whole(store, run_id)
    faults.report(f"{len(finished)} runs written by 4 processes, none lost, none doubled")


def test_of_processes_that_resume_a_run_at_once_one_goes_on_and_the_others_are_told_who(store: Store) -> None:
    run = begin(store)
    store.runs.finish_run(run.id, status=RunStatus.STOPPED, result=None)
    pipes = [PROCESSES.Pipe() for _ in range(4)]
    for _, theirs in pipes:
        start(resume_run_when_told, store.home, run.id, theirs)
    ours = [mine for mine, _ in pipes]
    assert [pipe.recv() for pipe in ours] == ["ready"] * 4
    for pipe in ours:
        pipe.send("go")
    told = [pipe.recv() for pipe in ours]
    (winner,) = (each for each in told if isinstance(each, int))
    assert store.runs.get(run.id).process.pid == winner
    others = [each for each in told if each != winner]
    assert all(f"received one that process {winner} on " in each for each in others)
    assert len(others) == 3
    for pipe in ours:
        pipe.send("end")


def test_versions_registered_at_once_are_distinct_and_whole(store: Store) -> None:
    run = train(store)
    (run.folder / "best.keras").write_bytes(os.urandom(3_000_000))
    made = [ref for refs in at_once(register_versions, store.home, run.id, 3) for ref in refs]
    assert sorted(made) == sorted(f"digits@{version}" for version in range(1, 25))
    for version in store.models.list("digits"):
        assert store.models.verify(version).read_bytes() == (run.folder / "best.keras").read_bytes()


def test_writers_killed_at_random_moments_leave_every_finished_run_whole(home: Path, faults: Any) -> None:
    seed = secrets.randbits(32)
    moments = random.Random(seed)
    Store(home).close()
    died = sum(kill_one_of_two(home, trial, moments.uniform(0, 0.1)) for trial in range(faults.number(25)))
    faults.report(f"{faults.number(25)} kills of one of two writers of a home, {died} within a run, seed {seed}")
    assert died > 0
    store = Store(home)
    for name in store.models.names():
        for version in store.models.list(name):
            assert store.models.verify(version).read_bytes() == version.run_id.encode() * 5000


def kill_one_of_two(home: Path, trial: int, moment: float) -> int:
    """Return how many runs the kill interrupted, 0 or 1."""
    names = (f"killed{trial}", f"kept{trial}")
    pipes = [PROCESSES.Pipe() for _ in names]
    writers = [start(train_until_told, home, name, theirs) for name, (_, theirs) in zip(names, pipes, strict=True)]
    (killed, kept), ours = writers, [mine for mine, _ in pipes]
    for pipe in ours:
        assert pipe.recv() == "ready"
    time.sleep(moment)
    killed.kill()
    ours[1].send("stop")
    for writer in writers:
        writer.join()
    assert kept.exitcode == 0
    assert integrity(home) == "ok"
    store = Store(home)
    for pipe in ours:
        while pipe.poll():
            assert store.runs.get(pipe.recv()).status is RunStatus.COMPLETED
    runs = [run for name in names for run in store.runs.list(RunFilter(name=name, limit=1000))]
    died = [run for run in runs if run.status is RunStatus.DIED]
    for run in runs:
        if run not in died:
            assert_whole(store, run.id)
    assert {run.name for run in died} <= {names[0]}
    assert len(died) <= 1
    return len(died)


def test_opening_a_home_marks_the_run_of_a_killed_process(home: Path) -> None:
    mine, theirs = PROCESSES.Pipe()
    process = start(begin_and_wait, home, theirs)
    run_id = mine.recv()
    assert Store(home).runs.get(run_id).status is RunStatus.RUNNING
    process.kill()
    process.join()
    assert Store(home).runs.get(run_id).status is RunStatus.DIED


def test_a_process_killed_while_it_registers_leaves_no_version(store: Store, tmp_path: Path) -> None:
    run, source = train(store), tmp_path / "slow.keras"
    os.mkfifo(source)
    process = start(register_from, store.home, run.id, source)
    with source.open("wb") as half:
        half.write(b"half of the weights")
        half.flush()
        while not list(store.home.glob(f"models/digits/{PARTIAL_PREFIX}*")):
            time.sleep(0.01)
        process.kill()
        process.join()
    assert store.models.list() == ()
    version = register(store, run)
    assert version.ref == "digits@1"
    assert store.models.verify(version) == version.path
    assert any("Leftovers of processes that died: 1 of" in sentence for sentence in store.findings())


def test_a_file_that_no_record_names_is_replaced_by_the_next_version(store: Store) -> None:
    run = begin(store)
    stray = store.home / "models" / "digits" / "1.keras"  # a process died between the file and its record
    stray.parent.mkdir()
    stray.write_bytes(b"of nobody")
    file = run.folder / "best.keras"
    file.write_bytes(b"weights")
    version = register_file(store, run, file)
    assert (version.path, store.models.verify(version).read_bytes()) == (stray, b"weights")


def assert_whole(store: Store, run_id: str) -> None:
    run = store.runs.get(run_id)
    assert run.result is not None
    assert (run.status, [epoch.number for epoch in run.epochs]) == (RunStatus.COMPLETED, list(range(1, run.result.epochs + 1)))


def integrity(home: Path) -> str:
    with closing(sqlite3.connect(home / "mltrain.db")) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
