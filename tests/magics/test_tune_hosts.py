"""`%%tune --workers`: trials on other machines, which here are processes with folders and homes of their own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

import jupyter_mltrain
from jupyter_mltrain.api.training import Body
from jupyter_mltrain.domain.events import TrainControl, TrialStarted
from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.domain.search import SearchSpec
from jupyter_mltrain.domain.spec import TrainSpec
from jupyter_mltrain.engine.tuning.channel import Channel
from jupyter_mltrain.engine.tuning.host import versions
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.tuning import tune as tune_cell

TOKEN = "a token that both sides know"
CELL = """
import os, psutil, time
class Lost(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        try:
            open(marker, "x").close()
        except FileExistsError:
            return
        psutil.Process().parents()[1].kill()  # the machine is gone; between it and this is the process that this was forked from
        time.sleep(600)
units = hp.Int("units", 2, 32)
print("sum", float(big[:3].sum()), "in", os.path.basename(os.getcwd()))
model = keras.Sequential([keras.Input((2,)), layers.Dense(units, "relu"), layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, callbacks=[Lost()])
"""
HYPERBAND = [2, 2, 2, 4]
FIT = 'net(hp.Int("width", 2, 9)).fit(x, y)\n'


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setenv("MLTRAIN_TOKEN", TOKEN)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


@pytest.fixture
def machines(tmp_path, port):
    """Two that wait for a search, each with a folder and a home of its own."""
    started = {}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        started[name] = subprocess.Popen(
            [sys.executable, "-m", "jupyter_mltrain.worker", f"127.0.0.1:{port}"],
            cwd=tmp_path / name,
            env={**os.environ, "MLTRAIN_HOME": str(tmp_path / name / "home")},
            stdout=subprocess.PIPE,
            text=True,
        )
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


def test_one_of_two_machines_goes_away(tiny, machines, port, tmp_path):
    tiny.run(f"marker = {str(tmp_path / 'marker')!r}")
    tiny.run('big = np.random.default_rng(0).normal(size=(200_000, 2)).astype("float32")')
    tiny.run(f"%%tune far --oracle hyperband --epochs 4 --max-time 4m --parallel 0 --workers 127.0.0.1:{port}{CELL}")

    search = jupyter_mltrain.searches["far"]
    assert {trial.status for trial in search.trials} == {RunStatus.COMPLETED}
    assert [trial.trial.number for trial in search.trials] == list(range(1, len(search.trials) + 1))
    assert {len(trial.epochs) for trial in search.trials} == {
        2,
        4,
    }  # those of the second round begin with the weights of the first
    assert all(list(trial.folder.glob("tensorboard/train/*")) for trial in search.trials)
    assert jupyter_mltrain.load_model(search.best.ref).count_params() == search.best.facts["model"]["num_params"]

    out = {name: process.communicate(timeout=60)[0] for name, process in machines.items()}
    (lost,) = (name for name, process in machines.items() if process.returncode)
    (kept,) = machines.keys() - {lost}
    assert out[kept].endswith("The search is over.\n")
    assert [[*path.iterdir()] for path in (tmp_path / lost, tmp_path / kept)] == [[], []]
    again = int(out[lost].strip().rpartition("\n")[2].split()[1])
    assert search.trials[again - 1].facts["worker"].endswith(f"-{machines[kept].pid}")
    assert f"-{machines[lost].pid} went away in trial {again}." in tiny.text
    total = f"sum {float(tiny['big'][:3].sum())} in"
    assert tiny.stdout.count(f"{total} one") + tiny.stdout.count(f"{total} two") == len(search.trials) + 1  # one was lost


def guest(port: int, *, times: int) -> None:
    """Join, and go away as soon as there is a trial, so many times."""
    for _ in range(times):
        channel = None
        while channel is None:
            try:
                channel = Channel(socket.create_connection(("127.0.0.1", port)))
                channel.shake_hands(TOKEN, asks_first=False)
            except OSError:
                channel = None
                time.sleep(0.02)
        channel.send("joins", "elsewhere", versions())
        channel.receive()
        channel.send("wants", [])
        channel.receive()
        channel.send("ready")
        channel.receive()
        channel.close()


def test_a_trial_that_takes_machines_along_fails_and_one_that_nobody_has_waits(tiny, port, tmp_path):
    tiny.run("def body(hp):\n    net(hp.Int('width', 2, 9)).fit(x, y, verbose=0)")
    session = Session(str(tmp_path / "other"))

    def searched(spec):
        control = TrainControl()

        def on_event(event):
            if isinstance(event, TrialStarted) and event.number == 2 and spec.workers:
                control.request_stop()

        return tune_cell(session, spec, Body(tiny["body"]), on_event=on_event, control=control)

    thread = threading.Thread(target=guest, args=(port,), kwargs={"times": 3}, daemon=True)
    thread.start()
    stopped = searched(SearchSpec(training=TrainSpec(name="alone"), trials=3, parallel=0, workers=f"127.0.0.1:{port}"))
    thread.join(timeout=60)
    lost, waited = stopped.trials
    assert (lost.status, lost.failure.kind) == (RunStatus.FAILED, "WorkersGone")
    assert lost.failure.message.startswith("3 workers on other machines went away while they trained it")
    assert waited.status is RunStatus.STOPPED
    resumed = searched(SearchSpec(training=TrainSpec(), resume="alone"))  # keeps neither the address nor --parallel 0
    assert [trial.status for trial in resumed.trials] == [RunStatus.FAILED, *[RunStatus.COMPLETED] * 2]
    session.close()


def test_the_cell_shows_a_token_that_is_its_own_and_none_of_the_user(tiny, port, monkeypatch):
    line = "%%tune --trials 1 --parallel 0 --max-time 1s --workers 127.0.0.1"
    tiny.run(f"{line}:{port}\n{FIT}")
    assert f"with the same MLTRAIN_TOKEN:\n    python -m jupyter_mltrain.worker 127.0.0.1:{port}\n" in tiny.stdout
    assert TOKEN not in tiny.stdout + tiny.text
    monkeypatch.delenv("MLTRAIN_TOKEN")
    tiny.run(f"{line}:0\n{FIT}")
    assert re.search(r"^    MLTRAIN_TOKEN=\S{32} python -m jupyter_mltrain.worker 127.0.0.1:\d+$", tiny.stdout, re.MULTILINE)
    with closing(socket.create_server(("127.0.0.1", port))):
        tiny.try_run(f"{line}:{port}\n{FIT}")
    assert "a free port" in str(tiny.error)
