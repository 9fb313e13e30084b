"""A search whose process is killed again and again comes to the same trials as one that nobody disturbed.

Each life is a process of its own that does what a kernel does: it makes a shell, loads the extension and runs the cell. It is
forked from a process that has only imported TensorFlow, which would take most of a life otherwise; TensorFlow's runtime, the
data, the database and the search begin anew in each. One search is killed again and again, and then goes on to its end.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import jupyter_mltrain
from jupyter_mltrain.domain.run import Run, RunStatus

NUM_TRIALS, KILLED = 20, -signal.SIGKILL
LONG = 120.0  # seconds: until it has ended by itself
BEGIN = f"%%tune killed --trials {NUM_TRIALS} --epochs 6 --seed 3 --prune median"
RESUME = "%%tune --resume killed"
DATA = """
import keras, numpy as np
x = np.random.default_rng(7).normal(size=(64, 2)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
"""
CELL = """
units = hp.Int("units", 2, 32, log=True)
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(2, "softmax")])
adam = keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, log=True))
model.compile(adam, "sparse_categorical_crossentropy")
model.fit(x, y, validation_split=0.25)
"""


def live(home: Path, begin: str) -> None:
    """Begin the search, or go on with it: the whole life of a process."""
    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_line_magic("load_ext", "jupyter_mltrain")
    shell.run_line_magic("config", f"MLTrain.home = {str(home)!r}")
    line = RESUME if len(jupyter_mltrain.searches) else begin
    for cell in (DATA, line + CELL):
        result = shell.run_cell(cell)
        result.raise_error()


@pytest.fixture
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "keras_tuner", "optuna", "IPython", "jupyter_mltrain"])
    return context


def lives(processes: Any, home: Path, seconds: Iterable[float], begin: str = BEGIN) -> list[int]:
    """Return how each process ended, which is killed if it is still alive after its seconds; none follows one that was done."""
    ended = []
    for moment in seconds:
        process = processes.Process(target=live, args=(home, begin))
        process.start()
        process.join(moment)
        process.kill()
        process.join()
        ended.append(process.exitcode)
        if not process.exitcode:
            break
    return ended


def told(trial: Run) -> tuple:
    """Return what a trial was and came to, without its times."""
    assert trial.trial is not None
    epochs = [(epoch.number, epoch.metrics) for epoch in trial.epochs]
    return trial.trial.number, trial.status, trial.trial.values, trial.trial.scores, epochs


def test_kills_at_random_moments(notebook, processes, tmp_path, faults):
    most_kills = faults.number(6)
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    begun = perf_counter()
    assert lives(processes, tmp_path / "whole", [LONG]) == [0]
    longest = (perf_counter() - begun) * max(0.25, 2 / most_kills)  # some are killed before it goes on, and many within it
    ended = lives(processes, notebook.home, (moments.uniform(0.1, longest) for _ in range(most_kills)))
    faults.report(f"{ended.count(KILLED)} kills of one search, seed {seed}")
    assert ended.count(KILLED) >= most_kills // 2, f"seed {seed}: {ended}"
    if ended[-1] == KILLED:
        assert lives(processes, notebook.home, [LONG]) == [0], f"seed {seed}"
    check_home(notebook)
    search = jupyter_mltrain.searches["killed"]
    assert (search.ref, search.status) == ("killed#1", RunStatus.COMPLETED)
    assert [trial.trial.number for trial in search.trials] == list(range(1, NUM_TRIALS + 1))
    assert {trial.status for trial in search.trials} == {RunStatus.COMPLETED, RunStatus.PRUNED}
    notebook.run(f"%config MLTrain.home = {str(tmp_path / 'whole')!r}")
    whole = jupyter_mltrain.searches["killed"]
    for one, other in zip(search.trials, whole.trials, strict=True):
        assert told(one) == told(other), f"seed {seed}"
    assert search.best.trial.number == whole.best.trial.number


def test_kills_while_trials_run_side_by_side(notebook, processes, tmp_path, faults):
    begin = "%%tune killed --trials 30 --epochs 6 --seed 3 --oracle random --prune none"
    assert lives(processes, tmp_path / "whole", [LONG], begin) == [0]
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    ended = lives(processes, notebook.home, (moments.uniform(3, 6) for _ in range(faults.number(2))), f"{begin} --parallel 2")
    if ended[-1] == KILLED:
        assert lives(processes, notebook.home, [LONG]) == [0], f"seed {seed}"
    faults.report(f"{ended.count(KILLED)} kills of one search with trials side by side, seed {seed}")
    assert KILLED in ended
    check_home(notebook)
    search = jupyter_mltrain.searches["killed"]
    notebook.run(f"%config MLTrain.home = {str(tmp_path / 'whole')!r}")
    for one, other in zip(search.trials, jupyter_mltrain.searches["killed"].trials, strict=True):
        assert told(one) == told(other), f"seed {seed}"


def check_home(notebook) -> None:
    notebook.run("%mltrain doctor")
    assert "Trouble" not in notebook.text
    assert "Integrity: SQLite's quick check found nothing wrong." in notebook.text
    assert "Processes: none trains." in notebook.text
