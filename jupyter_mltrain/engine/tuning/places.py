"""Where a search's trials are trained: in this process, or side by side in several where that is faster."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from time import perf_counter, process_time

import psutil

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.search import SearchSpec
from jupyter_mltrain.domain.spec import AUTO, Cell
from jupyter_mltrain.engine import sending
from jupyter_mltrain.engine.devices import cards, num_cores
from jupyter_mltrain.engine.plans.memory import free_memory
from jupyter_mltrain.engine.tuning.fork_server import SECONDS_TO_IMPORT, ForkServer
from jupyter_mltrain.engine.tuning.here import Here, Place, Supervision
from jupyter_mltrain.engine.tuning.trial import TrialOutcome, TrialTask
from jupyter_mltrain.engine.tuning.workers import Workers

_LEAST_TRIALS = 3  # before it can be told how long one takes; the first, which starts everything, is left out
_MANY_TRIALS = 16  # for which a process is made ready from the start: it takes a core 3.5 s
_SHARE_OF_MEMORY = 0.5  # that processes may take of what is free


class Places:
    """A place that may change while nothing runs; see `here.Place`.

    Args:
        spec: of the search.
        cell: the body.
        supervision: of its trials.
        num_trials: how many there will be at most; None where nobody knows.
    """

    def __init__(self, spec: SearchSpec, cell: Cell, supervision: Supervision, num_trials: int | None) -> None:
        self._spec, self._cell, self._supervision, self._num_trials = spec, cell, supervision, num_trials
        self._fork_server: ForkServer | None = None
        self._place: Place
        self._stack = ExitStack()
        self._digest: str | None = None  # None where the trials stay in this process
        self._num_timed, self._seconds, self._processor_seconds = -1, 0.0, 0.0

    @property
    def width(self) -> int:
        """How many trials side by side."""
        return self._place.width

    def __enter__(self) -> Places:
        """Make ready.

        Raises:
            OptionError: the cell is to be trained in processes of their own and cannot be sent there.
        """
        training, parallel = self._spec.training, self._spec.parallel
        if parallel == AUTO and self._spec.workers is None and training.seed is None and training.strategy == "auto":
            self._digest = sending.digest(training, self._cell)
        if self._digest and (self._num_trials is None or self._num_trials >= _MANY_TRIALS) and _most_side_by_side(1.0) > 1:
            self._fork_server = ForkServer()
        with ExitStack() as stack:
            stack.push(self)
            self._go_on_in(1 if parallel == AUTO else parallel)
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever still runs."""
        self._stack.close()
        if self._fork_server:
            self._fork_server.close()

    def _go_on_in(self, width: int) -> None:
        about = self._spec.training, self._cell, self._supervision
        address = self._spec.workers
        with ExitStack() as stack:
            place: Place
            if width == 1 and address is None:
                place = Here(*about)
            else:
                self._fork_server = self._fork_server or ForkServer()
                place = Workers(width, *about, fork_server=self._fork_server, address=address)
            stack.enter_context(place)
            self._stack.close()
            self._place, self._stack = place, stack.pop_all()

    @property
    def said(self) -> list[str]:
        """Sentences on who trains; whoever has read them empties it."""
        return self._place.said

    def start(self, task: TrialTask) -> None:
        """Begin a trial."""
        self._place.start(task)

    def next_ended(self) -> tuple[int, TrialOutcome] | None:
        """Wait until a trial has ended."""
        started, processor_started = perf_counter(), process_time()
        ended = self._place.next_ended()
        if ended is None:
            return None
        self._num_timed += 1
        if self._num_timed:
            self._seconds += perf_counter() - started
            self._processor_seconds += process_time() - processor_started
        return ended

    def move(self, num_left: int | None, seconds_left: float | None) -> None:
        """Go on in several processes where that pays; nothing may be running.

        Args:
            num_left: trials that will follow; None where nobody knows.
            seconds_left: of the search; None where that has no limit.
        """
        if self._digest is None or self._num_timed + 1 < _LEAST_TRIALS:
            return
        width = self._width_that_pays(num_left, seconds_left)
        if width < 2:
            return
        self._fork_server = self._fork_server or ForkServer()
        if self._fork_server.is_starting:
            return
        before, self._digest = self._digest, None
        if sending.digest(self._spec.training, self._cell) != before:  # what a trial leaves in the notebook would be lost
            return
        with suppress(OptionError, OSError):
            self._go_on_in(width)
            self.said.append(f"The trials go on side by side in {width} processes; --parallel 1 keeps them in the kernel.")

    def _width_that_pays(self, num_left: int | None, seconds_left: float | None) -> int:
        if num_left is None and seconds_left is None:
            num_left = self._num_timed  # as long again
        width = _most_side_by_side(self._processor_seconds / self._seconds)
        if num_left is not None:
            width = min(width, num_left)
        if width < 2:
            return 1
        needed = math.inf if num_left is None else self._seconds / self._num_timed * num_left
        seconds = min(needed, math.inf if seconds_left is None else seconds_left)
        seconds_to_start = self._fork_server.seconds_to_start if self._fork_server else SECONDS_TO_IMPORT
        return width if seconds * (1 - 1 / width) > 2 * seconds_to_start else 1


def _most_side_by_side(cores_each: float) -> int:
    """Return how many trials the machine has room for.

    Half of what a trial keeps busy besides one core is taken to be lost by sharing its operations out: of small operations it is
    all, of large products nothing (measured).

    Args:
        cores_each: cores that a trial keeps busy.
    """
    if cards():
        return len(cards())
    room = free_memory() * _SHARE_OF_MEMORY / psutil.Process().memory_info().rss
    return int(min(2 * num_cores() / (1 + max(1.0, cores_each)) + 0.5, room))
