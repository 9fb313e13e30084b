"""What happens during a training, told upwards to whoever listens, in the training's own thread.

A listener must not raise and should take well under a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jupyter_mltrain.domain.run import Epoch, Run
from jupyter_mltrain.domain.search import Objective, Search


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStarting:
    """TensorFlow is being loaded: the longest wait before the first step; of a trial, that it begins anew on another machine."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChosen:
    """Strategy, precision and plan are settled; `reason` is one sentence."""

    strategy: str
    precision: str
    plan: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInUse:
    """Told after an epoch when the plan or what it brings has changed; `reason` is one sentence with measured times."""

    plan: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that the user should know, in one sentence: an option that overrode the cell, a choice made."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted:
    """A `fit` begins. `num_epochs` is how many it will run at most; `num_steps` an epoch, None while unknown."""

    phase: int
    num_epochs: int
    num_steps: int | None
    first_epoch: int  # number of its first epoch in the run, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Told at most ten times a second.

    Attributes:
        epoch: number in the run, from 1.
        step: steps done in this epoch, of training, or of validation when `validating`.
        num_steps: steps an epoch, None while unknown.
        steps_per_second: over the last second or so of training steps.
        metrics: running means since the epoch's start; may be empty.
        memory: resident bytes of the process.
    """

    epoch: int
    step: int
    num_steps: int | None
    validating: bool
    steps_per_second: float
    metrics: Mapping[str, float]
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The training waits between two steps, or goes on again."""

    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded:
    """An epoch and its validation are done; `best` tells whether it is the best so far."""

    epoch: Epoch
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run is over and recorded, whatever its status."""

    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsKnown:
    """Something for the record has become known: top-level keys of `Run.facts` with their values, ready for JSON."""

    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStarted:
    """A search begins or goes on.

    Attributes:
        name: of the search.
        num_trials: how many there will be at most, those before a resumption included; None where something else ends it.
        objectives: what it looks for.
        oracle, prune: the algorithm, and when trials are stopped, each in one word.
        trials: those that there are already.
        max_time: seconds from now after which it ends; None for no limit.
    """

    name: str
    num_trials: int | None
    objectives: tuple[Objective, ...]
    oracle: str
    prune: str
    trials: tuple[Run, ...] = ()
    max_time: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """A trial begins, with a number from 1 and the values of its hyperparameters."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEvent:
    """Something that happens in the training of a running trial."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A trial is over and recorded, whatever its status; `best` tells whether it is the best so far."""

    run: Run
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEnded:
    """The search is over and recorded, whatever its status."""

    search: Search


SearchEvent = SearchStarted | TrialStarted | TrialEvent | TrialEnded | SearchEnded | EngineStarting | Notice | FactsKnown
OnSearchEvent = Callable[[SearchEvent], None]
Event = FactsKnown | EngineStarting | EngineChosen | PlanInUse | Notice | PhaseStarted | Progress | Paused | EpochEnded | RunEnded
OnEvent = Callable[[Event], None]


class Wish(StrEnum):
    """What a training can be asked for while it goes on."""

    STOP = "stop"
    PAUSE = "pause"
    FREE = "free"  # wait without the memory: of a process of its own, which ends and comes back
    CONTINUE = "continue"


class TrainControl:
    """How a listener asks a training to end or to wait: it sets a flag, the engine looks between two steps.

    Subclass it and override `poll` to let something run between two steps, in the training's own thread.
    """

    def __init__(self) -> None:
        """Start with nothing asked."""
        self.stop_requested = False
        self.pause_requested = False
        self.free_requested = False  # the end that is asked for is a pause

    def request_stop(self) -> None:
        """Ask for an end after the running step; safe from any thread."""
        self.request(Wish.STOP)

    def request(self, wish: Wish) -> None:
        """Ask for something after the running step; safe from any thread."""
        if wish in (Wish.STOP, Wish.FREE):
            self.stop_requested, self.free_requested = True, wish is Wish.FREE
        else:
            self.pause_requested = wish is Wish.PAUSE

    def poll(self) -> None:
        """Be called by the engine between two steps, and often while it waits; costs microseconds, must not raise."""
