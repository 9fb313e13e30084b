"""One trial: the cell's body with one set of values, trained, watched and judged."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras_tuner

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError
from jupyter_mltrain.domain.events import (
    EngineChosen,
    EngineStarting,
    EpochEnded,
    Event,
    FactsKnown,
    OnEvent,
    PhaseStarted,
    TrainControl,
)
from jupyter_mltrain.domain.model import Signature
from jupyter_mltrain.domain.run import Epoch, Failure, RunStatus, TrainingOutcome, TrainingResult
from jupyter_mltrain.domain.search import DURATION, NUM_PARAMS, Objective
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine import devices
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.trainer import train_once
from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters

AsksToStop = Callable[[Mapping[str, float], tuple[float, ...], int], bool]
"""Called after an epoch with its metrics, the first objective so far, and how many epochs there will be at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """What came of a trial.

    Attributes:
        values: of the hyperparameters that the body asked for.
        space: all that it knows of, active or not.
        scores: a value for each objective; empty where one is missing.
        best: the best model's file, where it was kept.
        signature, num_params: of the model; None where there is none.
    """

    status: RunStatus
    values: Mapping[str, Any]
    space: keras_tuner.HyperParameters
    scores: Mapping[str, float] = field(default_factory=dict)
    result: TrainingResult | None = None
    failure: Failure | None = None
    epochs: tuple[Epoch, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    best: Path | None = None
    signature: Signature | None = None
    num_params: int | None = None
    seconds_saved: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """What a trial is to do.

    Attributes:
        spec: of its training.
        hyperparameters: values and what is known of the space.
        objectives: the first is the metric that decides which epoch is best.
        executions: trainings; their mean counts.
    """

    spec: TrainSpec
    hyperparameters: keras_tuner.HyperParameters
    objectives: tuple[Objective, ...]
    executions: int = 1


def run(task: TrialTask, cell: Cell, job: Job, asks_to_stop: AsksToStop) -> TrialOutcome:
    """Train what a cell's body makes of the values; what it raises is the trial's failure.

    Args:
        task: what to do.
        cell: the body; it runs over a copy of its namespace.
        job: with what to do it; `control` is that of the whole search, and a pruned trial keeps no model.
        asks_to_stop: whether the trial has fallen behind.

    Raises:
        OptionError, UnknownNameError: the line asks for what is not there.
    """
    hp = HyperParameters.of(task.hyperparameters.values, task.hyperparameters)
    log = _Log(task, job.on_event, job.control, asks_to_stop)
    keeps = job.keeps
    job = replace(
        job, on_event=log.on_event, control=log.control, hp=hp, keeps=lambda metrics: not log.is_pruned and keeps(metrics)
    )
    outcomes: list[TrainingOutcome] = []
    try:
        for execution in range(task.executions):
            log.begin()
            outcomes.append(train_once(_seeded(task.spec, execution), cell.copied(), job, devices.devices()))
            log.ended(outcomes[-1].result)
            if log.control.stop_requested or job.interrupts.received:
                break
    except KeyboardInterrupt:
        return log.outcome(RunStatus.INTERRUPTED, hp)
    except (OptionError, UnknownNameError):  # no other values would help
        raise
    except Exception as error:  # noqa: BLE001 - a combination that fails is a result of the search
        return log.outcome(RunStatus.FAILED, hp, failure=Failure.of(error))
    status = RunStatus.PRUNED if log.is_pruned else outcomes[-1].status
    return log.outcome(status, hp, trained=outcomes[-1])


def _seeded(spec: TrainSpec, execution: int) -> TrainSpec:
    return spec if spec.seed is None or not execution else replace(spec, seed=spec.seed + execution)


class _Control(TrainControl):
    """Ends one trial, or hands on that the search is to end."""

    def __init__(self, search: TrainControl) -> None:
        super().__init__()
        self._search = search

    def poll(self) -> None:
        self._search.poll()
        self.stop_requested = self.stop_requested or self._search.stop_requested


class _Log:
    """What a trial's training tells, kept for the record, and looked at after each epoch."""

    def __init__(self, task: TrialTask, on_event: OnEvent, control: TrainControl, asks_to_stop: AsksToStop) -> None:
        self._task, self._tell, self._asks_to_stop = task, on_event, asks_to_stop
        self.control = _Control(control)
        self.is_pruned = False
        self._facts: dict[str, Any] = {}
        self._epochs: list[Epoch] = []
        self._reached: list[float] = []  # the first objective, by execution
        self._planned = 0

    def begin(self) -> None:
        self._epochs = []

    def on_event(self, event: Event) -> None:
        if isinstance(event, EngineStarting | EngineChosen):
            return
        self._tell(event)
        match event:
            case FactsKnown():
                self._facts |= event.facts
            case PhaseStarted():
                self._planned = event.first_epoch - 1 + event.num_epochs
            case EpochEnded():
                self._epochs.append(event.epoch)
                self._judge(event.epoch)

    def _judge(self, epoch: Epoch) -> None:
        metric = self._task.objectives[0].metric
        values = tuple(each.metrics[metric] for each in self._epochs if metric in each.metrics)
        if values and self._asks_to_stop(epoch.metrics, values, self._planned if self._may_be_judged() else 0):
            self.is_pruned = self.control.stop_requested = True

    def _may_be_judged(self) -> bool:
        """Whether curves can be compared: a rate that falls by a schedule makes them turn late, a second phase begins anew."""
        rate = self._facts.get("hyperparams", {}).get("learning_rate")
        return not isinstance(rate, str) and self._epochs[-1].phase == 1

    def ended(self, result: TrainingResult) -> None:
        """Take note of what an execution came to."""
        first = self._task.objectives[0]
        if result.monitor == first.metric and result.best_score is not None:
            self._reached.append(result.best_score)
        elif first.metric in result.best_metrics:
            self._reached.append(result.best_metrics[first.metric])

    def outcome(
        self, status: RunStatus, hp: HyperParameters, *, trained: TrainingOutcome | None = None, failure: Failure | None = None
    ) -> TrialOutcome:
        if len(self._reached) > 1:
            self._facts["executions"] = list(self._reached)
        result = trained.result if trained else None
        left = max(0, self._planned - len(self._epochs)) if self.is_pruned else 0
        return TrialOutcome(
            status=status,
            values=hp.used,
            space=hp,
            scores=self._scores(trained) if trained and trained.status is not RunStatus.INTERRUPTED else {},
            result=result,
            failure=failure,
            epochs=tuple(self._epochs),
            facts=self._facts,
            best=trained.best if trained else None,
            signature=trained.signature if trained else None,
            num_params=trained.num_params if trained else None,
            seconds_saved=left * statistics.mean(epoch.seconds for epoch in self._epochs) if left else 0.0,
        )

    def _scores(self, trained: TrainingOutcome) -> dict[str, float]:
        known = {**trained.result.best_metrics, NUM_PARAMS: float(trained.num_params), DURATION: trained.result.duration}
        if self._reached:
            known[self._task.objectives[0].metric] = statistics.mean(self._reached)
        scores = {each.metric: known[each.metric] for each in self._task.objectives if each.metric in known}
        return scores if len(scores) == len(self._task.objectives) else {}
