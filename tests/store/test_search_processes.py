"""Several processes on one search, some of them killed."""

from __future__ import annotations

import random
import secrets
import socket
import time
from pathlib import Path

from store_samples import begin_search, begin_trial
from store_writers import PROCESSES, at_once, begin_trials, resume_when_told, search_until_told, start
from test_store_processes import integrity

from jupyter_mltrain.domain.run import Process, RunStatus
from jupyter_mltrain.store.store import Store

ENDED = Process(host=socket.gethostname(), pid=1, started=1e9)  # the process of this number began just after the machine


def test_trials_begun_at_once_have_numbers_of_their_own(store: Store) -> None:
    search = begin_search(store)
    begun = [run_id for ids in at_once(begin_trials, store.home, search.id, 5) for run_id in ids]
    trials = store.searches.get(search.id).trials
    assert {trial.id for trial in trials} == set(begun)
    assert [trial.ref for trial in trials] == [f"digits#1/{number}" for number in range(1, 41)]


def test_of_processes_that_resume_a_search_at_once_one_goes_on(store: Store) -> None:
    search = begin_search(store, process=ENDED)
    pipes = [PROCESSES.Pipe() for _ in range(4)]
    processes = [start(resume_when_told, store.home, search.id, theirs) for _, theirs in pipes]
    assert [mine.recv() for mine, _ in pipes] == ["ready"] * 4
    for mine, _ in pipes:
        mine.send("go")
    answers = [mine.recv() for mine, _ in pipes]
    (winner,) = [answer for answer in answers if isinstance(answer, int)]
    assert winner in [process.pid for process in processes]
    refused = [answer for answer in answers if answer != winner]
    assert len(refused) == 3
    assert all(f"received one that process {winner} on {ENDED.host} is at work on" in answer for answer in refused)
    assert store.searches.get(search.id).process.pid == winner
    for mine, _ in pipes:
        mine.send("end")


def test_a_search_killed_at_random_moments_loses_and_doubles_no_trial(home: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    store = Store(home)
    search = begin_search(store, process=ENDED)
    first = begin_trial(store, search, values={"units": 1}, state={"begun": 1, "told": []}, process=ENDED)
    num_unfinished = sum(kill(home, search.id, moments.uniform(0, 0.1)) for _ in range(20))
    assert num_unfinished > 0
    trials = Store(home).searches.get(search.id).trials
    assert len(trials) > 20
    assert trials[0].id == first.id


def kill(home: Path, search_id: str, moment: float) -> int:
    """Let a process go on with the search, kill it, and return how many trials were unfinished then, 0 or 1."""
    mine, theirs = PROCESSES.Pipe()
    process = start(search_until_told, home, search_id, theirs)
    assert mine.poll(60), "it died by itself"
    told = [mine.recv()]
    time.sleep(moment)
    process.kill()
    process.join()
    while mine.poll():
        told.append(mine.recv())
    assert integrity(home) == "ok"
    store = Store(home)
    search, unfinished = store.searches.get(search_id), store.searches.unfinished(search_id)
    completed = [trial for trial in search.trials if trial.status is RunStatus.COMPLETED]
    assert search.status is RunStatus.DIED
    assert [trial.trial.number for trial in search.trials] == list(range(1, search.num_trials + 1))
    assert [trial.trial.values["units"] for trial in search.trials] == list(range(1, search.num_trials + 1))
    assert [trial.ref for trial in (*completed, *unfinished)] == [trial.ref for trial in search.trials]
    assert store.searches.state(search_id) == {
        "begun": search.num_trials,
        "told": [trial.trial.number for trial in completed],
    }
    assert {*told} <= {trial.trial.number for trial in completed}
    for trial in completed:
        assert (len(trial.epochs), trial.trial.scores.keys()) == (10, {"val_loss"})
        assert (trial.folder / "best.keras").read_bytes() == b"weights"
    return len(unfinished)
