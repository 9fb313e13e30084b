"""The kernel's interrupt, again and again at random moments of a training, its tracing included."""

from __future__ import annotations

import ast
import random

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import numpy as np, keras, jupyter_mltrain
from keras import layers
x = np.random.default_rng(0).normal(size=(4000, 8)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
units = 8
"""
TRAIN = """%%train
model = keras.Sequential([keras.Input((8,)), layers.Dense(units, "relu"), layers.Dropout(0.2), layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
history = model.fit(x, y, epochs=9999, batch_size=16, validation_split=0.2)
"""
AGAIN = "again = model.fit(x[:64], y[:64], epochs=1, verbose=0)\nprint(len(again.history['loss']))"


def test_interrupts_at_random_moments(kernel, faults):
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    assert kernel.run(PREPARE).status == "ok"
    assert kernel.run(TRAIN.replace("epochs=9999", "epochs=1")).status == "ok"  # TensorFlow is loaded now
    ended = []
    for count in range(faults.number(20)):
        told = f"interrupt {count} of seed {seed}"
        kernel.run(f"run, units = None, {16 + count // 2}")  # every other time what is trained has been traced before
        reply = kernel.run(TRAIN, interrupt_after=moments.uniform(0.001, 1.0), timeout=20)
        if reply.status == "ok":
            assert kernel.value("run.status, len(run.epochs) == len(history.epoch)") == "interrupted True", told
        else:  # before the fit began, or after it: an ordinary KeyboardInterrupt
            assert reply.error.startswith("KeyboardInterrupt"), told + reply.error
        if reply.status == "ok":
            assert kernel.run(AGAIN).streams["stdout"] == "1\n", told
        ended.append(reply.status)
    faults.report(f"{len(ended)} interrupts of trainings in one kernel, seed {seed}")
    assert ended.count("ok") >= len(ended) // 2, ended
    statuses = kernel.value("[run.status.value for run in jupyter_mltrain.runs]")
    assert set(ast.literal_eval(statuses)) <= {"interrupted", "completed"}, statuses
