"""`%%train --detach` and `--background`: what is sent, what comes of it, how it is stopped, paused, killed and gone on with."""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest

import jupyter_mltrain
from jupyter_mltrain.domain.errors import OptionError, RunFailedError
from jupyter_mltrain.domain.events import EpochEnded, Notice, Paused
from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.store.artifact_folder import sha256_of
from jupyter_mltrain.store.run_channel import RunChannel

TOOLS = """
factor = 2.0
offsets = np.linspace(0, 1, 400_000)
class Scale:
    def __init__(self, by): self.by = by
    def __call__(self, value): return value * self.by
def prepared(value): return Scale(factor)(value) + offsets[-1]
shapes = lambda model: [tuple(each.shape) for each in model.get_weights()]
stop = keras.callbacks.EarlyStopping("loss", patience=50)
"""
BODY = """
model = net()
history = model.fit(prepared(x), y, epochs=4, validation_split=0.25, verbose=0)
print("weights", shapes(model))
"some value"
"""
ENDLESS = "model = net()\nmodel.fit(x, y, epochs=1_000_000, verbose=0)"


def wait_until(condition) -> None:
    until = time.monotonic() + 120
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    assert condition()


def wait_for_epochs(run, number: int) -> None:
    wait_until(lambda: len(run.run.epochs) >= number)


def told(run):
    return RunChannel(run.run.folder).told(0)[0]


def test_it_comes_to_what_the_kernel_would_come_to(tiny):
    tiny.run(TOOLS).run(f"%%train --seed 3 --callbacks stop{BODY}")
    here, model = tiny["run"], tiny["model"]
    Path("shared").mkdir()
    tiny.run(f"%config MLTrain.artifacts = 'file://{Path('shared').absolute()}'")
    tiny.run(f"%%train apart --seed 3 --callbacks stop --detach --notify echo $MLTRAIN_RUN $MLTRAIN_STATUS > notified{BODY}")
    run = tiny["run"]
    assert "apart#1: trains in a process of its own; %runs attach apart#1 shows it in any notebook." in tiny.text
    assert (repr(run), run.done) == ("<BackgroundRun apart#1 running>", False)
    tiny.run("%config MLTrain.artifacts = ''")
    there = run.wait()
    assert (there.status, there.history) == (RunStatus.COMPLETED, here.history)
    assert there.process.pid not in (os.getpid(), here.process.pid)
    assert there.options == {**here.options, "name": "apart"}
    assert run.result.epochs == 4
    np.testing.assert_array_equal(run.model.predict(tiny["x"], verbose=0), model.predict(tiny["x"], verbose=0))
    assert run.output == "weights [(2, 4), (4,), (4, 2), (2,)]\n'some value'\n"
    assert not (there.folder / "parcel").exists()
    tiny.run("%runs attach apart")
    assert "apart: completed, 4 epochs" in tiny.text
    assert "weights [(2, 4)" in tiny.text
    notified = Path("notified")
    wait_until(lambda: notified.exists() and notified.read_text() == "apart#1 completed\n")
    manifest = json.loads(Path("shared", "runs", there.id, "manifest.json").read_text())
    for name in ("best.keras", "output.txt", "events.jsonl"):
        assert manifest[name] == sha256_of(there.folder / name)


def test_what_cannot_be_sent_is_named(tiny):
    tiny.run("import tensorflow as tf\nrows = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)")
    tiny.try_run("%%train --detach\nnet().fit(rows)")
    assert isinstance(tiny.error, OptionError)
    assert "received rows, a _BatchDataset" in str(tiny.error)
    tiny.run("def tell(run): return rows").try_run("%%train --detach --notify tell\nnet().fit(x, y)")
    assert "expected --notify with a function that can be sent to another process, received tell (" in str(tiny.error)
    assert jupyter_mltrain.runs["run"].failure.kind == "OptionError"


def test_an_error_in_the_cell_is_told_where_it_is_waited_for(tiny):
    tiny.run("%%train wrong --background\nprint('so far')\nraise ValueError('mine')")
    with pytest.raises(RunFailedError, match=r"expected wrong#1 to train to its end, received failed: ValueError: mine"):
        tiny["run"].wait()
    tiny.run("%runs attach wrong")
    assert "wrong: failed after 0 epochs: ValueError: mine" in tiny.text
    assert "so far" in tiny.text
    assert "line 3, in <module>" in tiny.text
    assert "raise ValueError('mine')" in tiny.text
    assert "jupyter_mltrain" not in tiny.text


def test_it_is_paused_and_stopped_and_others_wait_for_its_device(tiny):
    began = time.monotonic()
    tiny.run(f"%%train long --detach\n{ENDLESS}")
    run = tiny["run"]
    wait_for_epochs(run, 1)
    tiny.run("%%train next --detach --as waiting\nnet().fit(x, y)").run("%%train third --detach --as stopped\nnet().fit(x, y)")
    tiny.run("%runs pause long")
    wait_until(lambda: Paused(paused=True) in told(run))
    paused, number = time.monotonic(), sum(isinstance(event, EpochEnded) for event in told(run))
    time.sleep(1)  # in which a training that goes on would tell of more
    assert told(run)[-1] == Paused(paused=True)
    with pytest.raises(TimeoutError, match="expected long#1 to end within 0 s"):
        run.wait(timeout=0)
    seconds_paused = time.monotonic() - paused
    tiny.run("%runs continue long")
    wait_for_epochs(run, number + 1)
    tiny.run("%runs stop third")
    assert tiny["stopped"].wait().failure.message == "stopped while it waited for CPU:0"
    wait_until(lambda: [type(event) for event in told(tiny["waiting"])] == [Notice])
    assert (tiny["waiting"].done, tiny["waiting"].run.epochs) == (False, ())
    tiny.run("%runs stop long#1")
    assert "long#1: ends after the running step." in tiny.text
    ended = run.wait()
    assert ended.status is RunStatus.STOPPED
    assert ended.result.duration < time.monotonic() - began - seconds_paused
    assert tiny["waiting"].wait().started_at < ended.ended_at < tiny["waiting"].run.ended_at
    tiny.run("%runs attach next")
    assert "It waited for CPU:0" in tiny.text
    tiny.try_run("%runs stop long")
    assert "expected a run that goes on, received long#1, which is stopped" in str(tiny.error)


def test_a_process_that_was_killed_is_recorded_with_the_reason_and_gone_on_with(tiny):
    cell = """
slowly = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: time.sleep(nap))
model = net()
model.fit(x, y, epochs=60, verbose=0, callbacks=[slowly])
"""
    line = "--seed 3 --checkpoint-every 1 epoch"
    tiny.run("import time\nnap = 0").run(f"%%train whole {line}{cell}").run("nap = 0.1")
    whole = tiny["run"]
    tiny.run(f"%%train cut {line} --detach{cell}")
    run = tiny["run"]
    wait_for_epochs(run, 3)
    trainer = psutil.Process(run.run.process.pid)
    tiny.run("%runs pause cut --free")
    assert tiny.text == "cut#1: gives its memory back after the running step, and waits."
    wait_until(lambda: run.run.process.pid != trainer.pid)
    wait_until(lambda: not trainer.is_running())
    num_freed, waits = len(run.run.epochs), psutil.Process(run.run.process.pid)
    assert 3 <= num_freed < 60
    assert (run.done, run.status) == (False, RunStatus.RUNNING)
    assert waits.memory_info().rss < 200e6
    tiny.run("%runs continue cut")
    wait_for_epochs(run, num_freed + 1)
    os.kill(run.run.process.pid, signal.SIGKILL)
    with pytest.raises(RunFailedError, match="ProcessDied: its process was ended by the signal SIGKILL"):
        run.wait()
    assert run.status is RunStatus.DIED
    num_before = len(run.run.epochs)
    tiny.run("import pathlib\nname = 'told'\nclass Teller:\n    def __init__(self, name): self.path = pathlib.Path(name)")
    tiny.run("def tell(run):\n    Teller(name).path.write_text(f'{run.ref} {run.status}')\n    raise ValueError('mine')")
    tiny.run(f"%%train --resume cut --detach --notify tell{cell}")
    again = tiny["run"]
    wait_for_epochs(again, num_before + 2)
    psutil.Process(again.run.process.pid).terminate()  # as a machine that is shut down does
    assert again.wait().status is RunStatus.INTERRUPTED
    wait_until(lambda: "ValueError: mine" in again.output)
    assert Path("told").read_text() == "cut#1 interrupted"
    tiny.run("nap = 0").run(f"%%train --resume cut{cell}")
    assert tiny["run"].ref == "cut#1"
    assert tiny["run"].history == whole.history


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%%train --detach --no-track\nnet().fit(x, y)", "received --no-track: leave it out"),
        ("%%train --detach --resume nothing\nnet().fit(x, y)", "nothing"),
        ("%runs attach here", "expected a run of %%train --detach or --background, received here#1"),
        ("%%train --notify echo\nnet().fit(x, y)", "expected --notify with --detach or --background, received neither"),
        ("%runs pause nothing", "nothing"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(tiny, line, message):
    tiny.run("%%train here\nnet().fit(x, y)").try_run(line)
    assert message in str(tiny.error)
    assert len(jupyter_mltrain.runs) == 1


def test_from_python_and_nothing_of_it_stays(tiny, faults):
    rows = np.ones((2_000_000, 2), "float32")

    def body():
        import keras

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(rows[:8], rows[:8, :1], epochs=2, verbose=0)

    before = left_open()
    sizes = []
    for _ in range(faults.number(1)):
        assert jupyter_mltrain.train(body, name="py", background=True).result.epochs == 2
        assert jupyter_mltrain.runs.attach("py").model.count_params() == 3
        until = time.monotonic() + 60
        while left_open() - before and time.monotonic() < until:  # its process ends after it is recorded
            time.sleep(0.05)
        assert not left_open() - before
        sizes.append(psutil.Process().memory_info().rss / 1e6)
    grown = sizes[-1] - sizes[0]
    faults.report(
        f"{len(sizes)} trainings in processes of their own, each sent 16 MB: the notebook's process grew by {grown:.0f} MB"
    )
    assert grown < 64, sizes


def left_open() -> Counter[str]:
    """Return how many threads, processes and files there are; those of tests before may go away meanwhile."""
    gc.collect()
    process = psutil.Process()
    return Counter(thread.name for thread in threading.enumerate()) + Counter(
        processes=len(process.children()), files=process.num_fds()
    )
