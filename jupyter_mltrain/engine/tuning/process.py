"""A process that trains trials, as the one that started it sees it."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from jupyter_mltrain.domain.run import Failure
from jupyter_mltrain.engine.devices import cards, num_cores
from jupyter_mltrain.engine.tuning.fork_server import ForkServer

if TYPE_CHECKING:
    from jupyter_mltrain.engine.tuning.trial import TrialTask

_SECONDS_TO_END = 2.0
_NUM_UNTIL_SETTLED = 5  # trials after which a process has loaded and compiled what it needs
_MOST_GROWTH = 1.25  # since then: TensorFlow keeps its oneDNN kernels for every shape that it has seen
_LAST = object()  # that is sent

Messages = queue.SimpleQueue[tuple[Any, Any]]
"""What comes, with who sent it."""


class WorkerProcess:
    """Runs `engine.tuning.worker`, talks through its standard input and output, ends with this process.

    Args:
        fork_server: where it comes from.
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
        self,
        fork_server: ForkServer,
        slot: int,
        *,
        width: int,
        parcel: bytes,
        folder: Path,
        messages: Messages,
        rehearses: bool = False,
    ) -> None:
        self.slot = slot
        self.number: int | None = None
        self._log = folder / f"{slot}.log"
        self._num_begun, self._settled_size = 0, 0
        card = cards()[slot % len(cards())] if width > 1 and len(cards()) > 1 else None
        (its_input, commands), (results, its_output) = os.pipe(), os.pipe()
        with self._log.open("wb") as stderr:
            self._process = fork_server.spawn(its_input, its_output, stderr, card=card)
        os.close(its_input)
        os.close(its_output)
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._write, args=(commands,), daemon=True).start()
        threading.Thread(target=self._read, args=(results, messages), daemon=True).start()
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
        self._outbox.put(message)

    def _write(self, commands: int) -> None:
        """Write what is sent, which waits where more of it is on the way than a pipe holds and the process still starts."""
        with suppress(OSError), open(commands, "wb") as stdin:
            while (message := self._outbox.get()) is not _LAST:
                pickle.dump(message, stdin)
                stdin.flush()

    def _read(self, results: int, messages: Messages) -> None:
        with suppress(EOFError, OSError, pickle.UnpicklingError), open(results, "rb") as stdout:
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
        self._outbox.put(_LAST)
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def why_it_died(self) -> Failure:
        """Return how it ended, with the last that it said."""
        said = self._log.read_text(errors="replace")
        return Failure.of_process(self._process.wait(), said, whose="the process of the trial")
