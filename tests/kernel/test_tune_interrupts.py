"""The kernel's interrupt at random moments of a search, which each time goes on where it stood."""

from __future__ import annotations

import ast
import random

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import numpy as np, keras, jupyter_mltrain
from keras import layers
x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
def told(name):
    trials = jupyter_mltrain.searches[name].trials
    return [(each.trial.number, each.status.value, each.trial.values, each.trial.scores) for each in trials]
"""
CELL = """
units = hp.Int("units", 2, 32, log=True)
model = keras.Sequential([keras.Input((8,)), layers.Dense(units, "relu"), layers.Dense(2, "softmax")])
model.compile(keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, log=True)), "sparse_categorical_crossentropy")
model.fit(x, y, epochs=20, batch_size=16, validation_split=0.2)
"""
BEGIN = "%%tune {} --trials 20 --seed 4" + CELL
RESUME = "%%tune --resume cut" + CELL


def test_interrupts_at_random_moments(kernel, faults):
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    assert kernel.run(PREPARE).status == "ok"
    assert kernel.run(BEGIN.format("whole")).status == "ok"
    cell, done, ended = BEGIN.format("cut"), [], []
    for count in range(10):
        said = f"interrupt {count} of seed {seed}"
        kernel.run("search = None")
        reply = kernel.run(cell, interrupt_after=moments.uniform(0.01, 1.5), timeout=30)
        if reply.status == "ok":
            assert kernel.value("search.status") == "interrupted", said
        else:  # in what the cell does before the first trial, or after the last
            assert reply.error.startswith("KeyboardInterrupt"), said + reply.error
        assert kernel.value("1 + 1") == "2", said
        if kernel.value("len(jupyter_mltrain.searches)") == "2":
            cell = RESUME
            trials = ast.literal_eval(kernel.value("told('cut')"))
            before, done = done, [trial for trial in trials if trial[1] in ("completed", "pruned")]
            assert done[: len(before)] == before, said
            assert len(trials) - len(done) <= 1, said
        ended.append(reply.status)
    faults.report(f"{len(ended)} interrupts of one search, seed {seed}")
    assert ended.count("ok") >= 5, said
    assert kernel.run(cell).status == "ok"
    assert kernel.value("search.ref, search.status.value") == "cut#1 completed", said
    cut, whole = (ast.literal_eval(kernel.value(f"told('{name}')")) for name in ("cut", "whole"))
    assert cut == whole, f"seed {seed}"
    assert kernel.value("len(jupyter_mltrain.searches)") == "2"
