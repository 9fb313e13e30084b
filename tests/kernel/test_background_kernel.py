"""Runs in processes of their own when their kernel is killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from jupyter_mltrain.services.background import attach
from jupyter_mltrain.services.session import Session

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import numpy as np, keras
x = np.ones((64, 4), "float32")
"""
CELL = """%%train {} --{} --epochs {} --checkpoint-every 1 epoch
import time
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
slowly = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: time.sleep(0.1))
model.fit(x, x[:, :1], callbacks=[slowly])
"""


def test_what_is_in_the_background_is_interrupted_and_what_is_detached_goes_on(kernel, tmp_path: Path) -> None:
    session = Session(str(tmp_path / "home"))
    assert kernel.run(PREPARE).status == "ok"
    assert kernel.run(CELL.format("bound", "background", 10_000)).status == "ok"
    bound = attach(session, "bound")
    until = time.monotonic() + 60
    while not bound.run.epochs and time.monotonic() < until:
        time.sleep(0.1)
    assert kernel.run(CELL.format("apart", "detach", 20)).status == "ok"  # it waits for its turn
    apart = attach(session, "apart")
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
    assert bound.wait(timeout=30).status == "interrupted"
    assert 0 < len(bound.run.epochs) < 10_000
    assert apart.wait(timeout=60).status == "completed"
    assert [epoch.number for epoch in apart.run.epochs] == list(range(1, 21))
    session.close()
