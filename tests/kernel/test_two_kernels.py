"""Two notebooks of one home that want the same run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jupyter_mltrain.services.runs import get_run
from jupyter_mltrain.services.session import Session

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import os, keras, numpy as np
x = np.ones((64, 4), "float32")
"""
CELL = """%%train {} --epochs 150 --seed 1 --checkpoint-every 1 epoch
import time
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
slowly = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: time.sleep(0.05))
model.fit(x, x[:, :1], callbacks=[slowly])
"""


def test_one_goes_on_with_a_run_and_the_other_is_told_who_has_it(start_kernel: Callable[[], Any], tmp_path: Path) -> None:
    kernels = [start_kernel(), start_kernel()]
    for kernel in kernels:
        assert kernel.run(PREPARE).status == "ok"
    pids = [kernel.value("os.getpid()") for kernel in kernels]
    assert "interrupted" in "".join(kernels[0].run(CELL.format("long"), interrupt_after=4).texts)

    with ThreadPoolExecutor() as both:
        replies = list(both.map(lambda kernel: kernel.run(CELL.format("--resume long")), kernels))
    (winner,) = [number for number, reply in enumerate(replies) if reply.status == "ok"]
    refused = replies[1 - winner]
    assert f"process {pids[winner]} " in refused.error + "".join(refused.texts) + refused.streams["stderr"]

    session = Session(str(tmp_path / "home"))
    run = get_run(session, "long")
    assert (run.status, [epoch.number for epoch in run.epochs]) == ("completed", list(range(1, 151)))
    session.close()
