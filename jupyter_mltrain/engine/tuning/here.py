"""Trials one after the other in this process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from jupyter_mltrain.domain.events import Event, TrainControl
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.plans.memory import give_back
from jupyter_mltrain.engine.plans.sharing import Programs
from jupyter_mltrain.engine.randomness import Seeds
from jupyter_mltrain.engine.tuning import trial
from jupyter_mltrain.engine.tuning.trial import Judge, TrialOutcome, TrialTask

_TRIALS_BETWEEN_GIVING_BACK = 20

OnTrialEvent = Callable[[int, Event], None]
"""Told what happens in the training of a trial, with its number."""


class Place(Protocol):
    """Where trials are trained while it is entered.

    Attributes:
        said: sentences on who trains; whoever has read them empties it.
    """

    said: list[str]

    @property
    def width(self) -> int:
        """How many side by side."""
        ...

    def __enter__(self) -> Self:
        """Make ready."""
        ...

    def __exit__(self, *exception: object) -> None:
        """End whatever still runs."""
        ...

    def start(self, task: TrialTask) -> None:
        """Begin a trial; fewer than `width` must be running."""
        ...

    def next_ended(self) -> tuple[int, TrialOutcome] | None:
        """Wait until a trial has ended and return its number and what came of it; one at least must be running.

        Returns None where there is something to say, or more room than before.

        Raises:
            OptionError, UnknownNameError: the line asks for what is not there.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """Who looks after the trials that run.

    Attributes:
        judge: asked by them.
        on_event: told what happens in them, in the caller's thread.
        control: of the whole search.
        interrupts: entered by the caller.
    """

    judge: Judge
    on_event: OnTrialEvent
    control: TrainControl
    interrupts: Interrupts


class Here:
    """Trains trials one after the other in this thread, and keeps for the next what one has learned.

    Args:
        spec: of their trainings.
        cell: the body.
        supervision: of the trials.
    """

    width = 1

    def __init__(self, spec: TrainSpec, cell: Cell, supervision: Supervision) -> None:
        self._spec, self._cell, self._supervision = spec, cell, supervision
        self.said: list[str] = []
        self._seeds = Seeds()
        self._programs = Programs()
        self._task: TrialTask | None = None
        self._num_ended = 0

    def __enter__(self) -> Here:
        """Leave all objects that there are out of the collections after each trial, which take 0.2 s with them."""
        gc.freeze()
        self._seeds.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Let them be collected again."""
        self._seeds.__exit__()
        self._programs = Programs()
        gc.unfreeze()

    def start(self, task: TrialTask) -> None:
        """Take a trial; see `Place`."""
        self._task = task

    def next_ended(self) -> tuple[int, TrialOutcome]:
        """Train it; see `Place`."""
        task, self._task = self._task, None
        assert task is not None
        about = self._supervision
        job = Job(
            folder=task.folder,
            on_event=lambda event: about.on_event(task.number, event),
            control=about.control,
            interrupts=about.interrupts,
            seeds=self._seeds.seed_all,
            programs=self._programs,
            weights=task.weights,
        )
        try:
            return task.number, trial.run(task, self._spec, self._cell, job, about.judge)
        finally:
            gc.collect()  # a model is a cycle, and so are its graphs; see `__enter__`
            self._num_ended += 1
            if self._num_ended % _TRIALS_BETWEEN_GIVING_BACK == 0:
                give_back()
