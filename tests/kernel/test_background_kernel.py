"""Runs in processes of their own when their kernel and the Jupyter server are killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from front_end import Kernel
from jupyter_client.blocking import BlockingKernelClient

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


def kernel_of(address: str, runtime: Path) -> Kernel:
    """Start a kernel as a front end asks the server to."""
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{address}/api/kernels", b"{}"), timeout=60) as answer:
                identity = json.load(answer)["id"]
            break
        except urllib.error.URLError:  # it does not listen yet
            time.sleep(0.1)
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{identity}.json"))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    kernel = Kernel(None, client)
    kernel.manager = SimpleNamespace(provisioner=SimpleNamespace(pid=int(kernel.value("__import__('os').getpid()"))))
    return kernel


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """A Jupyter server and a kernel that it has started, which is given as `kernel`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}")]
    command += ["--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"]
    folders = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    environment = {**os.environ, **folders, "MLTRAIN_HOME": str(tmp_path / "home")}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    kernel = None
    try:
        kernel = kernel_of(f"http://127.0.0.1:{port}", tmp_path / "runtime")
        yield SimpleNamespace(pid=server.pid, kernel=kernel)
    finally:
        server.kill()
        server.wait()
        if kernel:
            kernel.client.stop_channels()


def test_what_is_in_the_background_is_interrupted_and_what_is_detached_goes_on(server: Any, tmp_path: Path) -> None:
    session, kernel = Session(str(tmp_path / "home")), server.kernel
    assert kernel.run(PREPARE).status == "ok"
    assert kernel.run(CELL.format("bound", "background", 10_000)).status == "ok"
    bound = attach(session, "bound")
    until = time.monotonic() + 60
    while not bound.run.epochs and time.monotonic() < until:
        time.sleep(0.1)
    assert kernel.run(CELL.format("apart", "detach", 20)).status == "ok"  # it waits for its turn
    apart = attach(session, "apart")
    for pid in (server.pid, kernel.manager.provisioner.pid):
        os.kill(pid, signal.SIGKILL)
    assert bound.wait(timeout=30).status == "interrupted"
    assert 0 < len(bound.run.epochs) < 10_000
    assert apart.wait(timeout=60).status == "completed"
    assert [epoch.number for epoch in apart.run.epochs] == list(range(1, 21))
    session.close()
