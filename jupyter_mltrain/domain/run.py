"""A run: one training, from its cell's source to its result."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.errors import ModelError
from jupyter_mltrain.domain.model import Signature

_MOST_SAID = 5000  # characters of what a process wrote that are kept when it has died


class RunStatus(StrEnum):
    """Where a run is, or how it ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"  # by the Stop button
    INTERRUPTED = "interrupted"  # by the kernel's interrupt
    FAILED = "failed"  # by an exception
    PRUNED = "pruned"  # a trial that fell behind
    DIED = "died"  # its process ended without a word


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One epoch as recorded.

    Attributes:
        number: counts the epochs of the run from 1, over all its phases; of a fork from where its parent was.
        phase: the `fit` call it belongs to, from 1.
        metrics: Keras's own names and values; not finite values are kept.
        seconds: wall time, validation included.
    """

    number: int
    phase: int
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        model_id: `"name@version"` of the registered model, or None.
        epochs: number of epochs trained, over all phases, those of a parent not among them.
        train_loss, val_loss: of the last epoch; None where the model reports none.
        train_metrics, val_metrics: of the last epoch, the loss left out, without the prefix `val_`.
        monitor: the metric that decides which epoch is best, or None.
        best_epoch: from 1; None where nothing could be compared.
        best_score: the value of `monitor` at `best_epoch`.
        best_metrics: all metrics of the best epoch, Keras's own names; of the last epoch where none is best.
        duration: seconds from the first `fit` to the end of the last.
        hyperparams: what the training was done with: epochs, batch size, optimizer and its settings, loss.
        strategy, precision, plan: what the engine chose, each in one word; `reason` says why of the strategy, `plan_reason`
            of the plan, with the times that were measured.
    """

    model_id: str | None = None
    epochs: int
    train_loss: float | None
    val_loss: float | None
    train_metrics: Mapping[str, float]
    val_metrics: Mapping[str, float]
    monitor: str | None
    best_epoch: int | None
    best_score: float | None
    best_metrics: Mapping[str, float]
    duration: float
    hyperparams: Mapping[str, Any]
    strategy: str
    precision: str
    plan: str
    reason: str
    plan_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run failed: the exception's class and message, and its traceback as text."""

    kind: str
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return what an exception tells."""
        text = "".join(traceback.format_exception(error))
        return cls(kind=type(error).__name__, message=str(error), traceback=text)

    @classmethod
    def of_process(cls, code: int, said: str, *, whose: str = "its process") -> Failure:
        """Return how a process has died.

        Args:
            code: its exit code; less than 0 of one that a signal has ended.
            said: all that it wrote; the end of it is kept.
            whose: what the message calls it.
        """
        how = f"by the signal {signal.Signals(-code).name}" if code < 0 else f"with the exit code {code}"
        hint = ", as it does when memory runs out" if code == -signal.SIGKILL else ""
        return cls(kind="ProcessDied", message=f"{whose} was ended {how}{hint}", traceback=said.strip()[-_MOST_SAID:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The process that trains: enough to tell later whether it still lives."""

    host: str
    pid: int
    started: float  # seconds since the machine began


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What makes a run a trial.

    Attributes:
        search: the name that finds exactly the search that made it: `digits#2`.
        number: in the search, from 1.
        values: hyperparameter name to value, of those that were active.
        scores: metric of each objective to its value, finite; empty until the trial has ended with one.
    """

    search: str
    number: int
    values: Mapping[str, Any]
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The state of another run that a run began with.

    Attributes:
        id: of that run, which may have been removed since.
        ref: its name: `digits#2`, or `digits#2/7` of a trial.
        epoch: the last one that was done, by that run's numbers; 0 before its first.
        step: how many steps of the next one were done.
    """

    id: str
    ref: str
    epoch: int
    step: int = 0

    @property
    def place(self) -> str:
        """Where in that run: `after epoch 5`."""
        steps = f" and {self.step} steps" if self.step else ""
        return f"after epoch {self.epoch}{steps}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a run and a search have in common: work that a process does, as the store has it.

    Attributes:
        id: 12 characters that sort by time of creation.
        name: readable, may repeat; `number` counts those of this name from 1.
        source: the cell's exact source, magic line included.
        options: the options that were given on the line.
    """

    id: str
    name: str
    number: int
    status: RunStatus
    source: str
    started_at: datetime  # with time zone
    ended_at: datetime | None
    user: str
    process: Process
    options: Mapping[str, Any]
    tags: Mapping[str, str]
    note: str
    facts: Mapping[str, Any]
    failure: Failure | None

    @property
    def ref(self) -> str:
        """The name that finds exactly this one: `digits#2`."""
        return f"{self.name}#{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Record):
    """One training as the store has it; its `id` is also the name of its folder.

    Attributes:
        facts: what reproducibility hangs on: `seed`, `deterministic`, `model` (summary, parameter count), `data`
            (fingerprints), `environment` (versions, platform, devices, git, threads), `hyperparams`, `overridden`, …
        epochs: empty in listings.
        folder: holds `best.keras`, `last.keras` and `tensorboard/`, as far as they came to be.
        trial: what it was in a search; None for a run of its own.
        parent: what it was forked from, whose epochs its own go on counting; None for a run that began anew.
        predictor: what `predict` calls; None where there is no model.
    """

    result: TrainingResult | None
    epochs: tuple[Epoch, ...] = field(default=(), repr=False)
    folder: Path
    trial: Trial | None = None
    parent: Parent | None = None
    predictor: Callable[[Any], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def ref(self) -> str:
        """The name that finds exactly this run: `digits#2`, of a trial `digits#2/7`."""
        return f"{self.trial.search}/{self.trial.number}" if self.trial else f"{self.name}#{self.number}"

    def predict(self, x: Any) -> Any:
        """Return the model's outputs for `x`, NumPy arrays with rows first, as Keras's `predict` does, without its loop.

        The model is the notebook's own after `%%train`, and the best one of a run that was read from the record.

        Args:
            x: arrays in the structure of the model's inputs, rows first; or anything else that Keras's `predict` takes.

        Raises:
            ModelError: the run has come to no model yet.
        """
        if self.predictor is None:
            raise ModelError(f"expected a run with a trained model, received {self.ref}, which is {self.status}: train it first")
        return self.predictor(x)

    @property
    def history(self) -> dict[str, list[float | None]]:
        """Metric name to its values by epoch; None where an epoch has no value of it."""
        names = list(dict.fromkeys(name for epoch in self.epochs for name in epoch.metrics))
        return {name: [epoch.metrics.get(name) for epoch in self.epochs] for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; the newest first, or by `best`.

    Attributes:
        name: exactly this name.
        status: one of them.
        model: registered as a version of this model.
        tags: all of these; an empty value asks only for the key.
        search: the trials of this search (`digits#2`), in their order; without it only runs that are no trials.
        since: started at or after this moment.
        best: a metric; runs that have it, the best value at their best epoch first (lowest for names that hold
            `loss` or `error`, highest for others).
        limit, offset: a page.
    """

    name: str | None = None
    status: RunStatus | None = None
    model: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    best: str | None = None
    search: str | None = None
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome:
    """What the engine hands back when a training ended without an exception.

    Attributes:
        status: completed, stopped or interrupted; running where it is only paused.
        best, last: the models' files, None where tracking is off; those that could not be written are there after `write_rest`.
        signature, num_params: of the model that was trained.
        predictor: takes inputs, returns the trained model's outputs.
        value: of the body's last expression, None where that is the model or its `History`.
        write_rest: writes what could not be written of the files, if anything; raises `StoreError` if it still cannot be.
    """

    status: RunStatus
    result: TrainingResult
    best: Path | None
    last: Path | None
    signature: Signature
    num_params: int
    predictor: Callable[[Any], Any]
    value: Any
    write_rest: Callable[[], None]


NUM_PARAMS, DURATION = "num_params", "duration"
COSTS = (NUM_PARAMS, DURATION)
"""What a trial may be judged by that is no metric of an epoch."""

_LOWER_IS_BETTER = ("loss", "error", "mse", "mae", "mape", "msle", "crossentropy", "divergence", "perplexity")


def lower_is_better(metric: str) -> bool:
    """Tell by a metric's name whether its lowest value is the best: errors, losses and costs, against scores."""
    name = metric.removeprefix("val_").lower()
    return metric in COSTS or any(part in name for part in _LOWER_IS_BETTER)
