"""One trial: the cell's body with one set of values, trained, watched and judged."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

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
from jupyter_mltrain.domain.run import DURATION, NUM_PARAMS, Epoch, Failure, RunStatus, TrainingOutcome, TrainingResult
from jupyter_mltrain.domain.search import Objective
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine import devices
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.trainer import train_once
from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters


class Judge(Protocol):
    """Who knows all trials of a search, asked by those that run."""

    def falls_behind(
        self, number: int, metrics: Mapping[str, float], values: tuple[float, ...], num_epochs: int, share_left: float
    ) -> bool:
        """Tell whether a trial is to stop.

        Args:
            number: of the trial, from 1.
            metrics: of its last epoch.
            values: of the first objective in its epochs so far.
            num_epochs: how many there will be at most; 0 where its curve cannot be compared.
            share_left: of the time of the whole trial, what the epochs that are left will take, 0 to 1.
        """
        ...

    def keeps(self, metrics: Mapping[str, float]) -> bool:
        """Tell whether the model of a trial with these metrics of its best epoch is worth its file."""
        ...


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
        number: in its search, from 1.
        folder: for TensorBoard's files and the model; None writes nothing.
        hyperparameters: values and what is known of the space.
        objectives: the first is the metric that decides which epoch is best.
        executions: trainings; their mean counts.
        options: of the training spec, those that are the trial's own.
        weights: a model's file whose weights the first `fit` begins with.
    """

    number: int
    folder: Path | None
    hyperparameters: keras_tuner.HyperParameters
    objectives: tuple[Objective, ...]
    executions: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None


def run(task: TrialTask, spec: TrainSpec, cell: Cell, job: Job, judge: Judge) -> TrialOutcome:
    """Train what a cell's body makes of the values; what it raises is the trial's failure.

    Args:
        task: what to do.
        spec: of all trials' trainings.
        cell: the body; it runs over a copy of its namespace.
        job: with what to do it; `control` is that of the whole search.
        judge: asked after each epoch; a pruned trial keeps no model.

    Raises:
        OptionError, UnknownNameError: the line asks for what is not there.
    """
    hp = HyperParameters.of(task.hyperparameters.values, task.hyperparameters)
    log = _Log(task, job.on_event, job.control, judge)
    spec = replace(spec, name=None, register=None, monitor=str(task.objectives[0]), **task.options)
    job = replace(
        job,
        on_event=log.on_event,
        control=log.control,
        hp=hp,
        keeps=lambda metrics: not log.is_pruned and judge.keeps(metrics),
    )
    outcomes: list[TrainingOutcome] = []
    try:
        for execution in range(task.executions):
            log.begin()
            outcomes.append(train_once(_seeded(spec, execution), cell.copied(), job, devices.devices()))
            outcomes[-1].write_rest()
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

    def __init__(self, task: TrialTask, on_event: OnEvent, control: TrainControl, judge: Judge) -> None:
        self._task, self._tell, self._judge = task, on_event, judge
        self.control = _Control(control)
        self.is_pruned = False
        self._facts: dict[str, Any] = {}
        self._epochs: list[Epoch] = []
        self._reached: list[float] = []  # the first objective, by execution
        self._planned = 0
        self._began = perf_counter()

    def begin(self) -> None:
        self._epochs = []
        self._began = perf_counter()

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
                self._be_judged(event.epoch)

    def _be_judged(self, epoch: Epoch) -> None:
        metric = self._task.objectives[0].metric
        values = tuple(each.metrics[metric] for each in self._epochs if metric in each.metrics)
        num_epochs = self._planned if self._may_be_judged() else 0
        if values and self._judge.falls_behind(self._task.number, epoch.metrics, values, num_epochs, self._share_left()):
            self.is_pruned = self.control.stop_requested = True

    def _share_left(self) -> float:
        left = self._seconds_left()
        return left / (perf_counter() - self._began + left)

    def _seconds_left(self) -> float:
        """Return what the epochs that are left will take; the first, which also traces, is no measure."""
        return max(0, self._planned - len(self._epochs)) * statistics.median(epoch.seconds for epoch in self._epochs)

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
            seconds_saved=self._seconds_left() if self.is_pruned else 0.0,
        )

    def _scores(self, trained: TrainingOutcome) -> dict[str, float]:
        known = {**trained.result.best_metrics, NUM_PARAMS: float(trained.num_params), DURATION: trained.result.duration}
        if self._reached:
            known[self._task.objectives[0].metric] = statistics.mean(self._reached)
        scores = {each.metric: known[each.metric] for each in self._task.objectives if each.metric in known}
        return scores if len(scores) == len(self._task.objectives) else {}
