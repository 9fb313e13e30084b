"""A training whose process is killed again and again comes to the same numbers as one that nobody disturbed.

Each life is a process of its own that does what a kernel does: it makes a shell, loads the extension and runs the cell. It is
forked from a process that has only imported TensorFlow, which would take most of a life otherwise; TensorFlow's runtime, the
data, the database and the training begin anew in each.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
from pathlib import Path
from time import perf_counter
from typing import Any

import keras
import numpy as np
import pytest
from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

import jupyter_mltrain
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.engine.checkpoints import files

NUM_EPOCHS, NUM_KILLS, KILLED = 80, 4, -signal.SIGKILL
LONG = 300.0  # seconds: until it has ended by itself
BEGIN = "%%train killed --epochs {epochs} --seed 3 --checkpoint-every {every}"
RESUME = "%%train --resume last"
DATA = """
import keras, numpy as np
from keras import layers
x = np.random.default_rng(7).normal(size=(6000, 8)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
"""
CELL = """
model = keras.Sequential([keras.Input((8,)), layers.Dense(64, "relu"), layers.Dropout(0.3), layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
stop, plateau = keras.callbacks.EarlyStopping(patience=500), keras.callbacks.ReduceLROnPlateau(patience=2)
model.fit(x, y, validation_split=0.25, batch_size=8, callbacks=[stop, plateau])
"""


def live(home: Path, epochs: int, every: str) -> None:
    """Begin the training, or go on with it: the whole life of a process."""
    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_line_magic("load_ext", "jupyter_mltrain")
    shell.run_line_magic("config", f"MLTrain.home = {str(home)!r}")
    is_begun = len(jupyter_mltrain.runs) and files.paths(jupyter_mltrain.runs["killed"].folder / files.FOLDER)
    for cell in (DATA, (RESUME if is_begun else BEGIN.format(epochs=epochs, every=every)) + CELL):
        result = shell.run_cell(cell)
        result.raise_error()


@pytest.fixture
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "IPython", "jupyter_mltrain"])
    return context


def life(processes: Any, home: Path, seconds: float, *, epochs: int, every: str) -> int | None:
    """Return how a process ended, which is killed if it is still alive after its seconds."""
    process = processes.Process(target=live, args=(home, epochs, every))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


def seconds_of(*given: Any, **more: Any) -> float:
    """Return how long a life took that ended by itself."""
    begun = perf_counter()
    assert life(*given, LONG, **more) == 0
    return perf_counter() - begun


def killed_again_and_again(processes: Any, home: Path, moments: Any, start: float, longest: float, **whole: Any) -> list[Any]:
    """Train in lives of random lengths, the last of which comes to the end; return how they ended."""
    ended: list[Any] = []
    while len(ended) < NUM_KILLS and (not ended or ended[-1] == KILLED):
        ended.append(life(processes, home, start + moments.uniform(-0.5 * start, 2 * longest), **whole))
    if ended[-1] == KILLED:
        ended.append(life(processes, home, LONG, **whole))
    return ended


def assert_the_same(home: Path, undisturbed: Run, told: str) -> None:
    """Each epoch's numbers are there once; they, the weights and the last optimizer's state are the other run's, to the bit."""
    get_ipython().run_line_magic("config", f"MLTrain.home = {str(home)!r}")
    run = jupyter_mltrain.runs["killed"]
    assert run.status is undisturbed.status is RunStatus.COMPLETED
    assert [epoch.number for epoch in run.epochs] == list(range(1, NUM_EPOCHS + 1)), told
    assert run.history == undisturbed.history, told
    for name in ("best.keras", "last.keras"):
        models = [keras.models.load_model(each.folder / name) for each in (run, undisturbed)]
        with_optimizer = name == "last.keras"  # beside the best weights is the state of when they were written
        of_both = ((*model.weights, *(model.optimizer.variables if with_optimizer else ())) for model in models)
        for one, other in zip(*of_both, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=told)


@pytest.mark.parametrize("every", ["1 epoch", "200 steps"])
def test_kills_at_random_moments(notebook, processes, tmp_path, every, faults):
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    whole = {"epochs": NUM_EPOCHS, "every": every}
    seconds_of(processes, tmp_path / "first", epochs=1, every=every)  # which imports
    start = seconds_of(processes, tmp_path / "start", epochs=1, every=every)
    training = seconds_of(processes, tmp_path / "whole", **whole) - start
    longest = 0.8 * training / NUM_KILLS  # so that most of them come before its end
    notebook.run(f"%config MLTrain.home = {str(tmp_path / 'whole')!r}")
    undisturbed, num_killed, num_trainings = jupyter_mltrain.runs["killed"], 0, faults.number(1)
    for number in range(num_trainings):
        home = notebook.home / str(number)
        ended = killed_again_and_again(processes, home, moments, start, longest, **whole)
        told = f"training {number} of seed {seed}: {ended}"
        assert ended[-1] == 0, told
        assert set(ended[:-1]) <= {KILLED}, told
        num_killed += len(ended) - 1
        assert_the_same(home, undisturbed, told)
        notebook.run("%mltrain doctor")
        assert "Trouble" not in notebook.text, told
    faults.report(f"{num_killed} kills of {num_trainings} trainings with --checkpoint-every {every}, seed {seed}")
    assert num_killed > num_trainings * NUM_KILLS // 3, f"seed {seed}"
