"""A run that trains in a process of its own, as the notebook holds it."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any

from jupyter_mltrain.domain.checkpoints import NEVER
from jupyter_mltrain.domain.errors import OptionError, RunFailedError, StoreAwayError
from jupyter_mltrain.domain.events import Event, Progress, Wish
from jupyter_mltrain.domain.run import Run, RunStatus, TrainingResult
from jupyter_mltrain.services.registry import defined_in, load_best
from jupyter_mltrain.services.runs import get_run
from jupyter_mltrain.services.session import Session

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_RECORD = 3.0
_FAILED = (RunStatus.FAILED, RunStatus.DIED)


class BackgroundRun:
    """A training that goes on by itself: look at it, wait for it, ask it to stop or to pause, take its model.

    Attributes:
        ref: names the run, `digits#2`.
    """

    def __init__(self, session: Session, run: Run) -> None:
        """Take a run of a session's home that trains, or has trained, in a process of its own.

        Raises:
            OptionError: it trains in a notebook's kernel.
            StoreError: it trains on another machine, with which only a folder of artifacts is shared.
        """
        from jupyter_mltrain.store.run_channel import RunChannel

        session.store.artifacts.bring_run(run)
        self._session = session.again()  # of its own: the notebook may choose another home meanwhile
        self._lost_since: float | None = None
        self._id, self.ref, self._channel = run.id, run.ref, RunChannel(run.folder)
        if not self._channel.exists:
            raise OptionError(
                f"expected a run of %%train --detach or --background, received {run.ref}, which its notebook trains itself: "
                "look at it there, or with %runs show"
            )

    @property
    def run(self) -> Run:
        """The run as it is recorded by now."""
        return self._session.store.runs.get(self._id)

    @property
    def status(self) -> RunStatus:
        """Where it is, or how it ended."""
        return self._session.store.runs.status(self._id)[0] if self.done else RunStatus.RUNNING

    @property
    def done(self) -> bool:
        """Whether it has ended, however, and is recorded with the reason."""
        try:
            return self._channel.has_ended or self._is_lost()
        except StoreAwayError:  # it trains while the store is away
            return False

    def _is_lost(self) -> bool:
        """Tell whether its process has died, and that which waits for it too, which would have recorded the reason."""
        runs = self._session.store.runs
        if runs.status(self._id)[0] is RunStatus.RUNNING:
            runs.mark_died()
        if runs.status(self._id)[0] is RunStatus.RUNNING:
            self._lost_since = None
            return False
        self._lost_since = self._lost_since or time.monotonic()
        return time.monotonic() - self._lost_since > _SECONDS_TO_RECORD

    @property
    def output(self) -> str:
        """What its process has printed."""
        return self._channel.said

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until it has ended, and return it as it is recorded; an interrupt ends the waiting alone.

        Args:
            timeout: seconds; None for as long as it takes.

        Raises:
            TimeoutError: it goes on after `timeout`.
            RunFailedError: it failed, or its process died.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self.done:
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"expected {self.ref} to end within {timeout:g} s, it goes on: wait again")
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        run = self.run
        if run.status in _FAILED:
            why = f": {run.failure.kind}: {run.failure.message}" if run.failure else ""
            raise RunFailedError(
                f"expected {self.ref} to train to its end, received {run.status}{why}; %runs show {self.ref} tells all"
            )
        return run

    @property
    def result(self) -> TrainingResult:
        """What it came to; waits until it has ended, and raises what `wait` raises."""
        run = self.wait()
        if run.result is None:
            raise RunFailedError(f"expected {run.ref} to come to a result, it was {run.status} before that: train it again")
        return run.result

    @functools.cached_property
    def model(self) -> Any:
        """The Keras model of its best epoch; waits until it has ended, and raises what `wait` raises.

        Raises:
            ModelFileError: it has written no model.
        """
        return load_best(self._session, self.wait(), defined_in())

    def stop(self) -> None:
        """Ask it to end after the running step; model, history and best weights are kept."""
        self.ask(Wish.STOP)

    def pause(self, *, free: bool = False) -> None:
        """Ask it to wait after the running step.

        Args:
            free: without its memory: it takes a checkpoint, its process ends, and another goes on from there, to the bit.

        Raises:
            OptionError: it has ended; or it is to be freed, and takes no checkpoints.
        """
        self.ask(Wish.FREE if free else Wish.PAUSE)

    def unpause(self) -> None:
        """Let it go on after a pause."""
        self.ask(Wish.CONTINUE)

    def ask(self, wish: Wish) -> None:
        """Ask it for something.

        Raises:
            OptionError: it has ended, or cannot do what it is asked for.
        """
        if self.done:
            raise OptionError(f"expected a run that goes on, received {self.ref}, which is {self.status}: %runs lists them all")
        if wish is Wish.FREE and self.run.options.get("checkpoint_every") == NEVER:
            raise OptionError(
                f"expected a run with checkpoints for --free, received {self.ref}, which takes none: pause it without --free"
            )
        self._channel.ask(wish)

    def events(self, position: int) -> tuple[Sequence[Event | None], int]:
        """Return what has happened in it after a position, 0 for the beginning, and the next position; None is its end."""
        return self._channel.told(position)

    def progress(self) -> Progress | None:
        """Return where it is."""
        return self._channel.progress()

    def __repr__(self) -> str:
        return f"<BackgroundRun {self.ref} {self.status}>"


def attach(session: Session, ref: str | None = None) -> BackgroundRun:
    """Return a run that trains, or has trained, in a process of its own; the newest of all runs if none is named.

    Raises:
        UnknownNameError: there is no such run; near misses are suggested.
        OptionError: it trains in a notebook's kernel.
    """
    return BackgroundRun(session, get_run(session, ref))
