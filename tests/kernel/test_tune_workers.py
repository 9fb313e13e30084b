"""The processes of a search that trains side by side, when the kernel is interrupted or killed."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import numpy as np, keras, jupyter_mltrain
x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
"""
LONG = """%%tune long --trials 9 --parallel 2 --prune none
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(hp.Int("units", 2, 32))])
model.compile("sgd", "mse")
began = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: print("began"))
model.fit(x, x[:, :1] * np.ones(hp.get("units")), epochs=1_000_000, callbacks=[began])
"""


@pytest.fixture
def workers(kernel):
    """Start a search without an end; once two processes train, return them and the one that they were forked from."""
    assert kernel.run(PREPARE).status == "ok"
    kernel.client.execute(LONG)
    said = ""
    while said.count("began") < 2:
        message = kernel.client.get_iopub_msg(timeout=60)
        said += message["content"]["text"] if message["msg_type"] == "stream" else ""
        assert message["msg_type"] != "error", message["content"]
    children = psutil.Process(kernel.manager.provisioner.pid).children(recursive=True)
    found = [child for child in children if "jupyter_mltrain.engine.tuning.fork_server" in child.cmdline()]
    assert len(found) == 3
    return found


def test_an_interrupt_ends_all_that_run_and_keeps_them(kernel, workers):
    kernel.interrupt()
    assert kernel.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    assert kernel.value("search.status") == "interrupted"
    assert kernel.value("[str(trial.status) for trial in search.trials]") == "['interrupted', 'interrupted']"
    assert kernel.value("min(len(trial.epochs) for trial in search.trials) > 0") == "True"
    assert psutil.wait_procs(workers, timeout=10)[1] == []


def test_they_end_with_the_kernel(kernel, workers):
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
    assert psutil.wait_procs(workers, timeout=10)[1] == []
