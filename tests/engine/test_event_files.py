"""Files for TensorBoard on a disk that is slow, or full for a while."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from jupyter_mltrain.domain.run import Epoch, RunStatus
from jupyter_mltrain.engine import event_files
from jupyter_mltrain.engine.event_files import EventFiles


def epoch(number: int) -> Epoch:
    return Epoch(number=number, phase=1, metrics={"loss": 1 / number, "val_loss": 2 / number}, seconds=0.1)


def steps(folder: Path, part: str) -> list[int]:
    events = EventAccumulator(str(folder / part), size_guidance={"tensors": 0}).Reload()
    return [each.step for each in events.Tensors("epoch_loss")]


def test_nobody_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, is_quick, begun = tf.summary.create_file_writer, Event(), Event()

    def make_slowly(*args: Any, **options: Any) -> Any:
        begun.set()
        is_quick.wait()
        return make(*args, **options)

    monkeypatch.setattr(tf.summary, "create_file_writer", make_slowly)
    files = EventFiles(tmp_path)
    files.write(epoch(1))
    begun.wait()
    for number in range(2, 6):
        files.write(epoch(number))
    assert list(tmp_path.iterdir()) == []
    is_quick.set()
    files.close({}, RunStatus.COMPLETED)
    assert steps(tmp_path, "train") == steps(tmp_path, "validation") == list(range(5))


def test_what_finds_no_room_is_written_when_there_is_some(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "_SECONDS_BETWEEN_FLUSHES", 0.0)
    folder, rest = small_disk / "tensorboard", small_disk / "rest"
    files = EventFiles(folder)
    files.write(epoch(1))
    while not any(file.stat().st_size for file in folder.rglob("train/events.*")):
        sleep(0.01)
    with suppress(OSError), rest.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1000))
    with files.writing(1):
        for number in range(100):
            tf.summary.scalar(f"gate {number}", 0.5)
    for number in range(2, 301):
        files.write(epoch(number))
    files.close({"units": 16}, RunStatus.COMPLETED)
    with pytest.raises(tf.errors.OpError):
        files.write_rest()
    rest.unlink()
    files.write_rest()
    assert steps(folder, "train") == steps(folder, "validation") == list(range(300))
    assert all(file.stat().st_size for file in folder.rglob("events.*"))
