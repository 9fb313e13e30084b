"""Trials side by side, each in a process of its own that stays for the next."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from jupyter_mltrain.domain.run import Failure, RunStatus
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine import sending
from jupyter_mltrain.engine.devices import cards, num_cores
from jupyter_mltrain.engine.environment import search_path
from jupyter_mltrain.engine.tuning.here import Supervision
from jupyter_mltrain.engine.tuning.hyperparameters import INTERNAL, HyperParameters
from jupyter_mltrain.engine.tuning.trial import TrialOutcome, TrialTask

_SECONDS_BETWEEN_LOOKS = 0.02  # at what the user wishes
_SECONDS_TO_END = 2.0
_NUM_UNTIL_SETTLED = 5  # trials after which a process has loaded and compiled what it needs
_MOST_GROWTH = 1.25  # since then: TensorFlow keeps its oneDNN kernels for every shape that it has seen


class Workers:
    """Trains several trials at once; see `here.Place`, and `here.Here` for the arguments.

    A worker runs `python -m jupyter_mltrain.engine.tuning.worker`, talks through its standard input and output, and ends with
    this process. One that dies takes its trial along, which has failed, and no other.

    Args:
        width: how many processes.
    """

    def __init__(self, width: int, spec: TrainSpec, cell: Cell, supervision: Supervision) -> None:
        self.width = width
        self._spec, self._cell, self._supervision = spec, cell, supervision
        self._messages: queue.SimpleQueue[tuple[_Worker, Any]] = queue.SimpleQueue()
        self._workers: dict[int, _Worker] = {}  # by slot
        self._handed_on: set[str] = set()

    def __enter__(self) -> Workers:
        """Pack what the workers need.

        Raises:
            OptionError: it cannot be sent.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="mltrain-", ignore_cleanup_errors=True)
        try:
            self._parcel = sending.pack(self._spec, self._cell, Path(self._folder.name))
        except BaseException:  # an interrupt too
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers, whatever they do."""
        for worker in self._workers.values():
            worker.end()
        self._folder.cleanup()

    def start(self, task: TrialTask) -> None:
        """Give a trial to a worker that has none."""
        slot = next(slot for slot in range(self.width) if slot not in self._workers or self._workers[slot].task is None)
        if slot not in self._workers or not self._workers[slot].is_alive():
            log = Path(self._folder.name) / f"{slot}.log"
            self._workers[slot] = _Worker(slot, self.width, self._parcel, log, self._messages)
        self._workers[slot].begin(task)

    def next_ended(self) -> tuple[int, TrialOutcome]:
        """Serve the workers until one of their trials has ended; see `here.Place`."""
        while True:
            self._hand_on_wishes()
            try:
                worker, message = self._messages.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                continue
            match message:
                case ("event", number, event):
                    self._supervision.on_event(number, event)
                case ("asks", question, *about):
                    worker.send(("answer", getattr(self._supervision.judge, question)(*about)))
                case ("text", stream, text):
                    getattr(sys, stream).write(text)
                case ("ended", number, outcome):
                    worker.task = None
                    if worker.has_grown():
                        self._workers.pop(worker.slot).end()
                    return number, outcome
                case ("raised", error):
                    raise error
                case ("died",) if self._workers.get(worker.slot) is worker:
                    del self._workers[worker.slot]
                    if worker.task is not None:
                        return worker.task.number, _lost(worker.task, worker.why_it_died())

    def _hand_on_wishes(self) -> None:
        control = self._supervision.control
        control.poll()
        wishes = {"stop": control.stop_requested, "interrupt": self._supervision.interrupts.received}
        for wish in {name for name, is_wished in wishes.items() if is_wished} - self._handed_on:
            self._handed_on.add(wish)
            for worker in self._workers.values():
                worker.send((wish,))


def _lost(task: TrialTask, failure: Failure) -> TrialOutcome:
    """Return what came of a trial whose process has died."""
    given = task.hyperparameters.values
    values = {name: value for name, value in given.items() if not name.startswith(INTERNAL)}
    return TrialOutcome(
        status=RunStatus.FAILED, values=values, space=HyperParameters.of(given, task.hyperparameters), failure=failure
    )


class _Worker:
    """One process as its parent sees it.

    Attributes:
        slot: from 0.
        task: what it does; None while it waits.
    """

    def __init__(self, slot: int, width: int, parcel: bytes, log: Path, messages: queue.SimpleQueue[Any]) -> None:
        self.slot = slot
        self.task: TrialTask | None = None
        self._log = log
        self._num_begun, self._settled_size = 0, 0
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_mltrain.engine.tuning.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **_environment(slot)},
                start_new_session=True,  # the kernel's interrupts are handed on by the parent
            )
        threading.Thread(target=self._read, args=(self._process.stdout, messages), daemon=True).start()
        self.send({"parcel": parcel, "threads": max(1, num_cores() // width)})

    def is_alive(self) -> bool:
        """Tell whether it can be given something."""
        return self._process.poll() is None

    def begin(self, task: TrialTask) -> None:
        """Give it a trial."""
        self.task = task
        self._num_begun += 1
        self.send(("task", task))

    def send(self, message: Any) -> None:
        """Send it something; where it has died, `_read` tells."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError):
            pickle.dump(message, stdin)
            stdin.flush()

    def _read(self, stdout: BinaryIO, messages: queue.SimpleQueue[Any]) -> None:
        with suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                messages.put((self, pickle.load(stdout)))  # noqa: S301 - of our own child
        messages.put((self, ("died",)))

    def has_grown(self) -> bool:
        """Tell, after a trial, whether it needs so much more memory than at first that a new one is worth its start."""
        try:
            size = psutil.Process(self._process.pid).memory_info().rss
        except psutil.NoSuchProcess:  # `_read` tells
            return False
        if self._num_begun <= _NUM_UNTIL_SETTLED:
            self._settled_size = size
        return size > _MOST_GROWTH * self._settled_size

    def end(self) -> None:
        """End it, at once if it does not go by itself when its input is closed."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def why_it_died(self) -> Failure:
        """Return how it ended, with the last that it said."""
        said = self._log.read_text(errors="replace")
        return Failure.of_process(self._process.wait(), said, whose="the process of the trial")


def _environment(slot: int) -> dict[str, str]:
    """Return what a worker's environment has besides this one's: the modules found here, and one card where there are several."""
    mine = {"CUDA_VISIBLE_DEVICES": cards()[slot % len(cards())]} if len(cards()) > 1 else {}
    return {"PYTHONPATH": search_path(), **mine}
