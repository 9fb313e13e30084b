"""Writes a run's checkpoints beside its training: which are due, and a thread that writes them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from jupyter_mltrain.domain.checkpoints import All, CheckpointEvery
from jupyter_mltrain.engine.checkpoints import files
from jupyter_mltrain.engine.checkpoints.checkpoint import Checkpoint

_SECONDS_BEFORE_FIRST = 2.0
_SHARE_OF_TIME = 0.015  # of the training that taking and writing may cost where nothing is asked for
_SHARE_OF_PHASE = 0.01  # besides, for the end of each
_MOST_PHASES = 16  # whose ends are kept; later ones are done again


class Keeper:
    """Keeps the last checkpoints of a run, and those of the ends of its first phases.

    Attributes:
        trouble: why the last one could not be written; empty if it could.
    """

    def __init__(self, run_folder: Path, every: str | None, keep: int | All | None = None) -> None:
        """Take what was asked for.

        Args:
            run_folder: in which there may be checkpoints already, of a run that goes on.
            every: see `CheckpointEvery.parse`; None for as often as is cheap, or every epoch where some are to stay.
            keep: see `files.write`.
        """
        self._folder = run_folder / files.FOLDER
        self._keep = keep
        every = every or ("1 epoch" if keep else None)
        self._every = CheckpointEvery.parse(every) if every else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mltrain-checkpoint")
        self._waiting: deque[tuple[Checkpoint, float]] = deque(maxlen=1)  # with the seconds that taking it took
        self._writing: Future[None] | None = None
        self._is_to_stay = False
        self._num_epochs = self._num_steps = 0  # since the last one
        self._written = self._not_before = 0.0
        self._cost = 0.0  # seconds of the last one
        self.trouble = ""
        files.remove_unfinished(self._folder)

    def begin(self) -> None:
        """Count the time from here, if nothing was counted yet."""
        self._written = self._written or monotonic()
        self._not_before = self._not_before or monotonic() + _SECONDS_BEFORE_FIRST

    def epoch_is_due(self, *, is_last: bool) -> bool:
        """Tell after an epoch whether its state is to be kept; `is_last` where somebody has asked for the end."""
        self._num_epochs += 1
        if self._every and self._every.epochs and self._num_epochs >= self._every.epochs:
            return True
        return self.steps_are_due(0, is_last=is_last)

    def steps_are_due(self, num_steps: int, *, is_last: bool) -> bool:
        """Tell after so many more steps whether the state is to be kept; `is_last` as for epochs."""
        self._num_steps += num_steps
        if self._every is None:
            return is_last or (monotonic() >= self._not_before and not self._is_writing)
        if is_last or self._every.is_never:
            return not self._every.is_never
        if self._every.steps:
            return self._num_steps >= self._every.steps
        return self._every.seconds is not None and monotonic() - self._written >= self._every.seconds

    @property
    def counts_steps(self) -> bool:
        """Whether a number of steps was asked for."""
        return self._every is not None and self._every.steps is not None

    def end_is_due(self, phase: int, seconds: float) -> bool:
        """Tell after a phase of so many seconds whether its end is to be kept: doing it again would cost more."""
        if phase > _MOST_PHASES:
            return False
        if self._every is not None:
            return not self._every.is_never
        return seconds >= max(_SECONDS_BEFORE_FIRST, self._cost / _SHARE_OF_PHASE)

    def write(self, checkpoint: Checkpoint, *, begun: float) -> None:
        """Write a checkpoint beside the training, in place of one that waits for the disk, if that is not to stay.

        Args:
            checkpoint: its arrays stay as they are.
            begun: when it began to be taken, by `time.monotonic`.
        """
        if self._is_to_stay:
            self.wait()
        self._is_to_stay = self._keep is not None or checkpoint.is_end
        self._num_epochs, self._num_steps, self._written = 0, 0, monotonic()
        self._waiting.append((checkpoint, self._written - begun))
        self._writing = self._thread.submit(self._write_newest)

    def wait(self) -> None:
        """Wait until all is written."""
        if self._writing:
            self._writing.result()

    def close(self) -> None:
        """Wait, and let the thread go."""
        self._thread.shutdown()

    @property
    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def _write_newest(self) -> None:
        if self._waiting:  # else it is written already, in place of the one before it
            self._write(*self._waiting.popleft())

    def _write(self, checkpoint: Checkpoint, seconds_of_taking: float) -> None:
        started = monotonic()
        try:
            checkpoint.write(self._folder, self._keep)
        except OSError as error:
            self.trouble = str(error.strerror or error)
        except TypeError as error:  # of the user's get_state
            self.trouble = str(error)
        else:
            self.trouble = ""
        self._cost = monotonic() - started + seconds_of_taking
        self._not_before = monotonic() + self._cost / _SHARE_OF_TIME
