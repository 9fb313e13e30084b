"""How long a training or a search may still take, judged by how long it took so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import fmean, median
from time import monotonic

from jupyter_mltrain.domain.events import Progress

_EPOCHS_REMEMBERED = 5  # the first one also compiles: it should soon be forgotten
_TRIALS_REMEMBERED = 10


class Pace:
    """The time that epochs take.

    Args:
        clock: seconds from any origin.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seconds: deque[float] = deque(maxlen=_EPOCHS_REMEMBERED)
        self._epoch_started = clock()
        self._paused_at: float | None = None

    def pause(self, *, paused: bool) -> None:
        """Stand still, or go on."""
        if paused:
            self._paused_at = self._clock()
        elif self._paused_at is not None:
            self._epoch_started += self._clock() - self._paused_at
            self._paused_at = None

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
        now = self._clock() if self._paused_at is None else self._paused_at
        return now - self._epoch_started


class SearchPace:
    """The time that trials take, one after the other or several side by side.

    Their mean, not their median: of a search with pruning many trials are short and a few long.

    Args:
        clock: seconds from any origin.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._started: dict[int, float] = {}
        self._seconds: deque[float] = deque(maxlen=_TRIALS_REMEMBERED)
        self._num_ended = 0
        self._side_by_side = 1

    def start_trial(self, number: int) -> None:
        """Take in that a trial begins."""
        self._started[number] = self._clock()
        self._side_by_side = max(self._side_by_side, len(self._started))

    def end_trial(self, number: int) -> None:
        """Take in that a trial has just ended; one that was not begun here tells nothing."""
        if number not in self._started:
            return
        if self._num_ended == self._side_by_side:  # the first ones also load and compile
            self._seconds.clear()
        self._num_ended += 1
        self._seconds.append(self._clock() - self._started.pop(number))

    def left(self, num_waiting: int) -> float | None:
        """Return the seconds until all running trials and so many more have ended, None while nothing can be said."""
        if not self._seconds:
            return None
        typical, now = fmean(self._seconds), self._clock()
        running = [max(0.0, typical - (now - started)) for started in self._started.values()]
        return max((sum(running) + num_waiting * typical) / self._side_by_side, *running, 0.0)
