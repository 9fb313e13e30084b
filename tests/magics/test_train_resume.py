"""`%%train --resume`: what is typed, what it says, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

import jupyter_mltrain
from jupyter_mltrain.domain.errors import ModelError, OptionError, UnknownNameError
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.magics.extension import session_of
from jupyter_mltrain.store.processes import started_of, this_process

BODY = """
def crash(epoch, logs):
    if epoch == crash_at: raise RuntimeError("oh")
model = net()
history = model.fit(x, y, epochs=6, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=crash)], verbose=0)
"""
BEGIN = "%%train digits --seed 3 --checkpoint-every 1 epoch" + BODY


@pytest.fixture
def crashed(tiny):
    """A notebook with `digits#1`, which failed after three epochs."""
    tiny.run("crash_at = 3").try_run(BEGIN)
    assert isinstance(tiny.error, RuntimeError)
    return tiny.run("crash_at = None")


def test_the_same_cell_goes_on_as_the_same_run(crashed):
    crashed.run("%%train --resume digits" + BODY)
    run = crashed["run"]
    assert (run.ref, run.status, run.result.epochs) == ("digits#1", "completed", 6)
    assert [epoch.number for epoch in run.epochs] == [1, 2, 3, 4, 5, 6]
    assert run.options == {"name": "digits", "seed": 3, "checkpoint_every": "1 epoch"}
    assert "The run goes on after epoch 3." in crashed.text
    crashed.run(BEGIN)
    assert crashed["run"].history == run.history
    assert len(jupyter_mltrain.runs) == 2


def test_with_more_epochs_and_from_python(crashed):
    crashed.run("%%train --resume last --epochs 8" + BODY)
    assert crashed["run"].result.epochs == 8
    crashed.run("""
    def body():
        model = net()
        model.fit(x, y, epochs=5, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=crash)], verbose=0)
    """)
    crashed.run("crash_at = 2").try_run(
        "import jupyter_mltrain\njupyter_mltrain.train(body, name='py', checkpoint_every='1 epoch')"
    )
    crashed.run("crash_at = None\nagain = jupyter_mltrain.train(body, resume='py')")
    assert (crashed["again"].ref, crashed["again"].result.epochs) == ("py#1", 5)


def test_a_changed_cell_is_said(crashed):
    crashed.run("%%train --resume last" + BODY + "after = 1\n")
    assert "The cell has changed since digits#1 began; its earlier epochs were trained with the former one." in crashed.text


def test_a_stop_at_the_end_of_an_epoch_is_taken_up(tiny):
    tiny.run("""
    from jupyter_mltrain.domain.run import RunStatus
    import os, signal
    interrupted = False
    def interrupt(epoch, logs):
        global interrupted
        if epoch == 1 and not interrupted:
            interrupted = True
            os.kill(os.getpid(), signal.SIGINT)
    """)
    cell = """
    model = net()
    model.fit(x, y, epochs=4, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=interrupt)], verbose=0)
    """
    tiny.run("%%train --seed 1" + cell)
    assert (tiny["run"].status, len(tiny["run"].epochs)) == ("interrupted", 2)
    tiny.run("%%train --resume last" + cell)
    assert (tiny["run"].status, len(tiny["run"].epochs)) == ("completed", 4)


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("--resume digts", UnknownNameError, r"no run named 'digts': did you mean digits\?"),
        ("--resume digits --lr 0.1", OptionError, "expected --lr as the run began, not given, received 0.1: leave it out"),
        ("--resume digits --seed 4", OptionError, "expected --seed as the run began, 3, received 4"),
        ("other --resume digits", OptionError, "expected --name as the run began, digits, received other"),
        ("--resume digits --no-track", OptionError, "expected --resume or --no-track, received both: leave one out"),
        ("--resume digits --dry-run", OptionError, "expected --resume or --dry-run, received both: leave one out"),
        ("--checkpoint-every often", OptionError, r"expected --checkpoint-every 1 epoch, .* received 'often': leave it out"),
        ("--checkpoint-every 0 epochs", OptionError, "received '0 epochs'"),
        ("--checkpoint-every 1.5 steps", OptionError, "received '1.5 steps'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(crashed, line, error, message):
    before = jupyter_mltrain.runs["digits"]
    with pytest.raises(error, match=message):
        crashed.run(f"%%train {line}{BODY}")
    assert jupyter_mltrain.runs["digits"] == before
    assert len(jupyter_mltrain.runs) == 1


def test_a_completed_run_a_trial_and_one_without_a_checkpoint_are_refused(crashed):
    crashed.run("%%train whole" + BODY)
    with pytest.raises(OptionError, match=r"received whole#1, which is completed: leave --resume out for a new run"):
        crashed.run("%%train --resume last" + BODY)
    crashed.run("crash_at = 0").try_run(BEGIN)
    with pytest.raises(OptionError, match=r"expected a checkpoint of digits#2 to go on from, received none: it ended before"):
        crashed.run("%%train --resume last" + BODY)
    crashed.run("crash_at = 3").try_run("%%train none --checkpoint-every never" + BODY)
    with pytest.raises(OptionError, match=r"expected a checkpoint of none#1 to go on from, received none"):
        crashed.run("%%train --resume last" + BODY)
    crashed.run("crash_at = None\n").run(
        "%%tune small --trials 1 --epochs 1 --oracle random\nhp.Int('n', 1, 2)\nmodel = net()\nmodel.fit(x, y, verbose=0)"
    )
    with pytest.raises(OptionError, match=r"received the trial small#1/1: %%tune --resume small#1 does it again"):
        crashed.run("%%train --resume small/1" + BODY)


def test_a_run_that_another_process_trains_is_refused(crashed):
    runs = session_of(crashed.shell).store.runs
    run = runs.get("digits")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        other = replace(this_process(), pid=child.pid, started=started_of(psutil.Process(child.pid)))
        runs.resume_run(run.id, other, num_epochs=3)
        with pytest.raises(OptionError, match=rf"expected digits#1 to have ended, .* process {child.pid} on "):
            crashed.run("%%train --resume last" + BODY)
        assert runs.get("digits").process == other
    crashed.run("%%train --resume last" + BODY)
    assert crashed["run"].status is RunStatus.COMPLETED


def test_another_model_is_refused_and_the_run_stays_resumable(crashed):
    with pytest.raises(ModelError, match=r"expected model .*shape \(2, 4\), received \(2, 9\): make the cell as it was"):
        crashed.run("%%train --resume last" + BODY.replace("net()", "net(9)"))
    assert jupyter_mltrain.runs["digits"].status == "failed"
    crashed.run("%%train --resume last" + BODY)
    assert crashed["run"].result.epochs == 6
    assert session_of(crashed.shell).store.runs.count(RunFilter()) == 1
