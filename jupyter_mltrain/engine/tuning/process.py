"""A process that trains trials, as the one that started it sees it."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import psutil

from jupyter_mltrain.domain.run import Failure
from jupyter_mltrain.engine.devices import cards, num_cores
from jupyter_mltrain.engine.environment import search_path

if TYPE_CHECKING:
    from jupyter_mltrain.engine.tuning.trial import TrialTask

_SECONDS_TO_END = 2.0
_NUM_UNTIL_SETTLED = 5  # trials after which a process has loaded and compiled what it needs
_MOST_GROWTH = 1.25  # since then: TensorFlow keeps its oneDNN kernels for every shape that it has seen

Messages = queue.SimpleQueue[tuple[Any, Any]]
"""What comes, with who sent it."""


class WorkerProcess:
    """Runs `python -m jupyter_mltrain.engine.tuning.worker`, talks through its standard input and output, ends with this process.

    Args:
        slot: from 0.
        width: how many there are, which share the machine's cores.
        parcel: of `sending.pack`.
        folder: where that put large arrays; what the process says to nobody is written there too.
        messages: where what it sends is put, `("ready",)` first and `("died",)` last.
        rehearses: whether it runs the cell up to its first `fit` before it is ready, or is `("refused", why)`.

    Attributes:
        slot: from 0.
        number: of the trial that it trains; None while it waits.
    """

    def __init__(
        self, slot: int, width: int, parcel: bytes, folder: Path, messages: Messages, *, rehearses: bool = False
    ) -> None:
        self.slot = slot
        self.number: int | None = None
        self._log = folder / f"{slot}.log"
        self._num_begun, self._settled_size = 0, 0
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_mltrain.engine.tuning.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **_environment(slot, width)},
                start_new_session=True,  # the kernel's interrupts are handed on by the parent
            )
        threading.Thread(target=self._read, args=(self._process.stdout, messages), daemon=True).start()
        threads = max(1, num_cores() // width)
        self.send({"parcel": parcel, "folder": folder, "threads": threads, "rehearses": rehearses})

    def is_alive(self) -> bool:
        """Tell whether it can be given something."""
        return self._process.poll() is None

    def begin(self, task: TrialTask) -> None:
        """Give it a trial."""
        self.hand_on(task.number, pickle.dumps(task))

    def hand_on(self, number: int, task: bytes, **changes: Any) -> None:
        """Give it a `TrialTask` that has come in writing, with changes; reading it here would load TensorFlow."""
        self.number = number
        self._num_begun += 1
        self.send(("task", task, changes))

    def send(self, message: Any) -> None:
        """Send it something; where it has died, `_read` tells."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError):
            pickle.dump(message, stdin)
            stdin.flush()

    def _read(self, stdout: BinaryIO, messages: Messages) -> None:
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


def _environment(slot: int, width: int) -> dict[str, str]:
    """Return what a worker's environment has besides this one's: the modules found here, and one card where there are several."""
    mine = {"CUDA_VISIBLE_DEVICES": cards()[slot % len(cards())]} if width > 1 and len(cards()) > 1 else {}
    return {"PYTHONPATH": search_path(), **mine}
