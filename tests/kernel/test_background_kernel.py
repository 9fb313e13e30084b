"""Runs in processes of their own when their kernel is killed."""

from __future__ import annotations

import os
import signal
import time

import jupyter_mltrain

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import numpy as np, keras, jupyter_mltrain
x = np.ones((64, 4), "float32")
"""
CELL = """%%train {} --{} --epochs 40 --checkpoint-every 1 epoch
import time
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
slowly = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: time.sleep(0.2))
model.fit(x, x[:, :1], callbacks=[slowly])
"""


def test_what_is_detached_goes_on_and_what_is_in_the_background_is_interrupted(kernel):
    assert kernel.run(PREPARE).status == "ok"

    for name, how in (("apart", "detach"), ("bound", "background")):
        assert kernel.run(CELL.format(name, how)).status == "ok"
    runs = {name: jupyter_mltrain.runs.attach(name) for name in ("apart", "bound")}
    until = time.monotonic() + 60
    while not all(run.run.epochs for run in runs.values()) and time.monotonic() < until:
        time.sleep(0.1)
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
    assert runs["bound"].wait(timeout=30).status == "interrupted"
    assert 0 < len(runs["bound"].run.epochs) < 40
    assert runs["apart"].wait(timeout=60).status == "completed"
    assert [epoch.number for epoch in runs["apart"].run.epochs] == list(range(1, 41))
