"""A disk that is full or may only be read, and a database that is damaged, in the middle of a training."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event, Timer
from typing import Any

import keras
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import jupyter_mltrain
from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import Run, RunFilter, RunStatus
from jupyter_mltrain.engine import saving
from jupyter_mltrain.services import recording
from jupyter_mltrain.services.recording import Recorder
from jupyter_mltrain.store.store import Store

CELL = """
def fill(epoch, logs):
    if epoch == 2 and not disk.exists():
        with suppress(OSError), disk.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1000))
model = net()
model.fit(x, y, epochs=6, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=fill)])
"""

WRITABLE_FROM_4 = """
first = False
def change(epoch, logs):
    if first and epoch == 1:
        may_only_be_read()
    if epoch == 3 and could_not_write.wait(60):
        could_not_write.clear()
        may_be_written()
model = net()
model.fit(x, y, epochs=8, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=change)])
"""


def may_only_be_read(disk: Path) -> None:
    """Cover a disk by itself, which may only be read: what is open stays so."""
    aside = disk.with_name("aside")  # where nobody opens a file in between
    aside.mkdir(exist_ok=True)
    for command in (["--bind", disk, aside], ["-o", "remount,ro,bind", aside], ["--bind", aside, disk]):
        subprocess.run(["mount", *command], check=True)
    subprocess.run(["umount", aside], check=True)


def may_be_written(disk: Path) -> None:
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def could_not_write(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Is set by each try to record that fails; tries follow each other quickly."""
    write, failed = Recorder._write, Event()

    def try_to_write(self: Recorder) -> None:
        try:
            write(self)
        except StoreError:
            failed.set()
            raise

    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_TRIES", 0.05)
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(Recorder, "_write", try_to_write)
    return failed


def num_steps_in_tensorboard(run: Run) -> int:
    events = EventAccumulator(str(run.folder / "tensorboard" / "train")).Reload()
    return len(events.Tensors("epoch_loss"))


def test_the_training_ends_and_is_recorded_when_there_is_room(tiny, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_PATIENCE", 10_000.0)
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_TRIES", 0.05)
    monkeypatch.setattr(saving, "_SECONDS_BEFORE_FIRST_SAVE", 0.0)
    monkeypatch.setattr(saving, "_SHARE_OF_TIME", 1000.0)
    home, rest = small_disk / "home", small_disk / "rest"
    tiny.run(f"from contextlib import suppress\nfrom pathlib import Path\ndisk = Path({str(rest)!r})")
    tiny.run(f"%%train whole --seed 3{CELL.replace('if epoch == 2', 'if epoch == 99')}")
    whole = tiny["run"]
    tiny.run(f"%config MLTrain.home = {str(home)!r}")
    finish = Recorder.finish

    def finish_and_be_interrupted(recorder: Recorder, **end: Any) -> Run:
        Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        return finish(recorder, **end)

    monkeypatch.setattr(Recorder, "finish", finish_and_be_interrupted)
    tiny.run(f"%%train full --seed 3 --checkpoint-every 1 epoch --register net{CELL}")
    monkeypatch.setattr(Recorder, "finish", finish)
    assert "The best model could not be written: No space left on device. It will be tried again." in tiny.text
    assert "The run is kept in memory and will be written when it can be: expected " in tiny.text
    assert (tiny["run"].status, tiny["run"].history) == (RunStatus.COMPLETED, whole.history)
    assert not (tiny["run"].folder / "last.keras").exists()
    with closing(Store(home)) as store:
        assert store.runs.count(RunFilter(status=RunStatus.RUNNING)) == 1
        assert not store.models.list()
    tiny.run(f"%config MLTrain.home = {str(tiny.home / 'another')!r}")
    rest.unlink()
    until = time.monotonic() + 60
    with closing(Store(home)) as store:
        while store.runs.count(RunFilter(status=RunStatus.RUNNING)) and time.monotonic() < until:
            time.sleep(0.05)
    tiny.run(f"%config MLTrain.home = {str(home)!r}")
    run = jupyter_mltrain.runs["full"]
    assert (run.status, run.history, run.result.model_id) == (RunStatus.COMPLETED, whole.history, "net@1")
    trained = tiny["model"].predict(tiny["x"], verbose=0)
    for model in (jupyter_mltrain.load_model("net@1"), keras.saving.load_model(run.folder / "last.keras")):
        assert (model.predict(tiny["x"], verbose=0) == trained).all()
    events = EventAccumulator(str(run.folder / "tensorboard" / "train")).Reload()
    assert [event.step for event in events.Tensors("epoch_loss")] == [0, 1, 2, 3, 4, 5]
    tiny.run("%mltrain doctor")
    assert "quick check found nothing wrong" in tiny.text


def test_a_home_that_may_only_be_read_for_a_while_holds_no_training_up(tiny, small_disk: Path, could_not_write: Event) -> None:
    tiny.run(f"%config MLTrain.home = {str(small_disk / 'home')!r}")
    tiny.run("%%train whole --seed 3 --register net\nmodel = net()\nmodel.fit(x, y, epochs=8, verbose=0)")
    whole = tiny["run"]
    read, written = partial(may_only_be_read, small_disk), partial(may_be_written, small_disk)
    tiny.shell.user_ns.update(may_only_be_read=read, may_be_written=written, could_not_write=could_not_write)
    may_only_be_read(small_disk)
    tiny.run("%reload_ext jupyter_mltrain")
    tiny.run(f"%config MLTrain.home = {str(small_disk / 'home')!r}")
    tiny.run("%runs")
    assert "whole#1  completed" in tiny.text
    assert jupyter_mltrain.load_model("net").count_params() == 22
    tiny.run(f"%%train whole --seed 3 --register net{WRITABLE_FROM_4}")
    assert "The run is kept in memory and will be written when it can be: expected to read and write " in tiny.text
    assert "received 'Read-only file system': make it writable, or choose another home" in tiny.text
    tiny.run(f"%%train whole --seed 3 --register net{WRITABLE_FROM_4.replace('first = False', 'first = True')}")
    assert "The run that was kept in memory is written." in tiny.text
    for number in (2, 3):
        run = jupyter_mltrain.runs[f"whole#{number}"]
        assert (run.status, run.history, run.result.model_id) == (RunStatus.COMPLETED, whole.history, f"net@{number}")
        assert num_steps_in_tensorboard(run) == 8
    assert jupyter_mltrain.runs["whole"].started_at > jupyter_mltrain.runs["whole#2"].started_at > whole.ended_at


def test_a_training_whose_database_is_damaged_ends_as_any_other(tiny, caplog: pytest.LogCaptureFixture) -> None:
    tiny.run("%%train first --register net\nmodel = net()\nmodel.fit(x, y, verbose=0)")
    tiny.run(f"""
        %%train cut --register net
        from pathlib import Path
        def damage(epoch, logs):
            if epoch == 1:
                Path({str(tiny.home)!r}, "mltrain.db").write_bytes(b"no database" * 1000)
        model = net()
        model.fit(x, y, epochs=4, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=damage)])
    """)
    run = tiny["run"]
    assert (run.status, len(run.epochs), run.result.model_id) == (RunStatus.COMPLETED, 4, "net@2")
    assert jupyter_mltrain.runs["cut"] == run
    assert jupyter_mltrain.runs["first"].result.model_id == "net@1"
    assert jupyter_mltrain.load_model("net@1").count_params() == 22
    (said,) = caplog.messages
    assert "runs: 2, searches: 0, model versions: 1; nothing is missing" in said
