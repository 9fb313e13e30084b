"""A process that trains trials for another: `python -m jupyter_mltrain.engine.tuning.worker`, started by `WorkerProcess`."""

from __future__ import annotations

import _thread
import faulthandler
import io
import os
import pickle
import queue
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from jupyter_mltrain.domain.errors import MLTrainError
from jupyter_mltrain.domain.events import Event, TrainControl
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.quiet import quieten


def main() -> None:
    """Train what comes through the standard input until that is closed."""
    faulthandler.enable()
    quieten()
    link = _Link(*_taken_pipes())
    hello = link.receive()
    with Interrupts() as interrupts:
        _limit_threads(hello["threads"])
        from jupyter_mltrain.engine.rehearsal import run_to_first_fit
        from jupyter_mltrain.engine.sending import unpack
        from jupyter_mltrain.engine.tuning.here import Here, Supervision
        from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters

        sys.stdout, sys.stderr = _Forward(link, "stdout"), _Forward(link, "stderr")
        try:
            spec, cell = unpack(hello["parcel"], hello["folder"])
            if hello["rehearses"]:
                run_to_first_fit(spec, cell.copied(), lambda *_: None, interrupts=interrupts, hp=HyperParameters())
        except Exception as error:  # whatever of the user's own keeps it from training is told
            link.send("refused", f"{type(error).__name__}: {error}")
            raise
        supervision = Supervision(judge=link, on_event=link.on_event, control=link.control, interrupts=interrupts)
        with Here(spec, cell, supervision) as here:
            link.send("ready")
            link.listen()
            while True:
                here.start(link.tasks.get())
                try:
                    number, outcome = here.next_ended()
                    ended: tuple[Any, ...] = ("ended", number, pickle.dumps(outcome))
                except MLTrainError as error:
                    ended = ("raised", error)
                sys.stdout.flush()
                sys.stderr.flush()
                link.send(*ended)


def _taken_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the standard input and output, which from now on are empty and the same as the error output."""
    commands, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return commands, results


def _limit_threads(number: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(number)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(number)
    tf.config.threading.set_inter_op_parallelism_threads(max(2, number))


class _Link:
    """The parent as the trials here see it: their judge, and who may ask them to end.

    Attributes:
        control: asked between two steps whether to end.
        tasks: what is to be done.
    """

    def __init__(self, commands: BinaryIO, results: BinaryIO) -> None:
        self._commands, self._results = commands, results
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.control = TrainControl()
        self.tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receive(self) -> Any:
        """Wait for a message."""
        return pickle.load(self._commands)  # noqa: S301 - of our own parent

    def send(self, *message: Any) -> None:
        """Send a message."""
        content = pickle.dumps(message)
        with self._lock:
            self._results.write(content)
            self._results.flush()

    def listen(self) -> None:
        """Take messages from now on in a thread, and end this process when the parent is gone."""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                message = self.receive()
            except EOFError:
                os._exit(0)
            match message:
                case ("task", task, changes):
                    self.tasks.put(replace(pickle.loads(task), **changes))  # noqa: S301 - of our own parent
                case ("answer", answer):
                    self._answers.put(answer)
                case ("stop",):
                    self.control.request_stop()
                case ("interrupt",):
                    _thread.interrupt_main()

    def on_event(self, number: int, event: Event) -> None:
        """Tell what happens in a trial."""
        self.send("event", number, event)

    def falls_behind(
        self, number: int, metrics: Mapping[str, float], values: tuple[float, ...], num_epochs: int, share_left: float
    ) -> bool:
        """Ask; see `trial.Judge`."""
        self.send("asks", "falls_behind", number, metrics, values, num_epochs, share_left)
        return self._answers.get()

    def keeps(self, metrics: Mapping[str, float]) -> bool:
        """Ask; see `trial.Judge`."""
        self.send("asks", "keeps", metrics)
        return self._answers.get()


class _Forward(io.TextIOBase):
    """A text stream whose text is the parent's to show, by whole lines: other processes write there too."""

    def __init__(self, link: _Link, name: str) -> None:
        self._link, self._name = link, name
        self._begun_line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        lines, newline, self._begun_line = (self._begun_line + text).rpartition("\n")
        if newline:
            self._link.send("text", self._name, lines + newline)
        return len(text)

    def flush(self) -> None:
        text, self._begun_line = self._begun_line, ""
        if text:
            self._link.send("text", self._name, text)


if __name__ == "__main__":
    main()
