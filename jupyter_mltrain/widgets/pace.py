"""How long a training may still take, judged by how long it took so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median
from time import monotonic

from jupyter_mltrain.domain.events import Progress

_EPOCHS_REMEMBERED = 5  # the first one also compiles: it should soon be forgotten


class Pace:
    """The time that epochs take.

    Args:
        clock: seconds from any origin.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seconds: deque[float] = deque(maxlen=_EPOCHS_REMEMBERED)
        self._epoch_started = clock()

    def start_phase(self) -> None:
        """Forget the epochs of the phase before: the work has changed."""
        self._seconds.clear()
        self._epoch_started = self._clock()

    def end_epoch(self, seconds: float) -> None:
        """Take in the wall time of an epoch that has just ended."""
        self._seconds.append(seconds)
        self._epoch_started = self._clock()

    def epoch_seconds(self, progress: Progress | None) -> float | None:
        """Return the time that an epoch takes, None while nothing can be said."""
        if self._seconds:
            return max(median(self._seconds), self._in_epoch())
        if progress is None or not progress.num_steps or not progress.steps_per_second:
            return None
        return progress.num_steps / progress.steps_per_second

    def left_in_epoch(self, progress: Progress | None) -> float | None:
        """Return the seconds until the running epoch ends, None while nothing can be said."""
        if self._seconds:
            return max(0.0, median(self._seconds) - self._in_epoch())
        seconds = self.epoch_seconds(progress)
        if seconds is None or progress is None or progress.validating or not progress.num_steps:
            return None
        return max(0.0, seconds * (1 - progress.step / progress.num_steps))

    def _in_epoch(self) -> float:
        return self._clock() - self._epoch_started
