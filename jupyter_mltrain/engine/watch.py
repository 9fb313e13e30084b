"""The engine's own callbacks: they look between two steps and tell what happened, and change nothing of the training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import Any

import keras
import numpy as np
import psutil

from jupyter_mltrain.domain.errors import DivergedError
from jupyter_mltrain.domain.events import EpochEnded, OnEvent, Paused, PhaseStarted, PlanInUse, Progress, TrainControl
from jupyter_mltrain.domain.run import Epoch
from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.best import BestEpoch
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.plans.runner import Runner

_SECONDS_BETWEEN_PROGRESS = 0.1
_SECONDS_BETWEEN_LOOKS = 0.05  # of a training that is paused
_SECONDS_BETWEEN_METRICS = 0.5  # reading a metric's running value waits for the device


@dataclass(slots=True)
class RunState:
    """What the phases of one run share."""

    on_event: OnEvent
    control: TrainControl
    interrupts: Interrupts
    best: BestEpoch
    allow_nan: bool
    seed: int | None = None
    order_seed: int | None = None  # drawn with the first plan that needs one
    plan: Plan = Plan.KERAS
    plan_reason: str = ""
    is_mixed: bool = False  # some steps were done by a loop that rounds otherwise than the rest
    phase: int = 0
    num_before: int = 0  # epochs of what the run was forked from
    epochs: list[Epoch] = field(default_factory=list)
    on_best: Callable[[Any], None] | None = None
    is_cut_short: bool = False  # somebody asked for the end in the middle of an epoch
    is_over: bool = False  # a callback asked for the end of the phase
    seconds_paused: float = 0.0

    @property
    def num_epochs(self) -> int:
        """The number in the run of the last epoch."""
        return self.num_before + len(self.epochs)

    def on_plan(self, runner: Runner) -> None:
        """Take note of how the steps of an epoch were done."""
        self.plan, self.plan_reason = runner.plan, runner.reason
        self.on_event(PlanInUse(plan=self.plan, reason=self.plan_reason))

    def on_mixed(self) -> None:
        """Take note that the same numbers cannot be had again."""
        self.is_mixed = True

    def poll(self) -> bool:
        """Let the front end be served, and wait if somebody asked for that; tell whether somebody asked for the end."""
        self.control.poll()
        if self.control.pause_requested and not self.ending:
            self._pause()
        return self.ending

    def now(self) -> float:
        """Return the seconds of a clock that stands still during a pause."""
        return perf_counter() - self.seconds_paused

    def _pause(self) -> None:
        began = perf_counter()
        self.on_event(Paused(paused=True))
        while self.control.pause_requested and not self.ending:
            sleep(_SECONDS_BETWEEN_LOOKS)
            self.control.poll()
        self.seconds_paused += perf_counter() - began
        self.on_event(Paused(paused=False))

    @property
    def ending(self) -> bool:
        """Whether somebody asked for the end."""
        return self.control.stop_requested or self.interrupts.received


def scalars(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are one number each; a confusion matrix is not."""
    return {name: float(np.asarray(value).item()) for name, value in logs.items() if math.prod(getattr(value, "shape", ())) == 1}


class StepWatch(keras.callbacks.Callback):
    """Between two steps: serves the front end, ends the training when asked, tells the progress.

    It uses the hooks that come before a batch: those are called in the training's thread and are given no metrics, so that
    Keras goes on to work as if it had no callbacks. It comes first in the list.
    """

    def __init__(self, state: RunState, num_epochs: int) -> None:
        super().__init__()
        self._state = state
        self._num_epochs = num_epochs
        self._process = psutil.Process()
        self._validating = False
        self._cut_short = False
        self._due = self._metrics_due = 0.0
        self._mark: tuple[int, float] | None = None  # step and time from which on the speed is measured
        self._has_traced = False
        self._window_steps, self._window_seconds = 0, 0.0
        self._speed = 0.0
        self._metrics: Mapping[str, float] = {}
        self._num_steps: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._num_steps = self.params.get("steps")
        self._state.on_event(
            PhaseStarted(
                phase=self._state.phase,
                num_epochs=self._num_epochs,
                num_steps=self._num_steps,
                first_epoch=self._state.num_epochs + 1,
            )
        )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._validating, self._metrics = False, {}
        self._mark = None
        self._metrics_due = perf_counter() + _SECONDS_BETWEEN_METRICS

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        paused_before = self._state.seconds_paused
        if self._state.poll():
            self.model.stop_training = self._state.is_cut_short = True
        if self._state.seconds_paused > paused_before:
            self._mark = None
        now = perf_counter()
        self._has_traced = self._has_traced or batch > 0  # the first call of a training traces and says nothing of its speed
        if self._mark is None and self._has_traced:
            self._mark = batch, now
        if now >= self._due:
            self._tell(batch)

    def on_test_begin(self, logs: Any = None) -> None:
        self._end_of_steps()
        self._validating = True

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._state.poll():
            self.model.stop_training = self.model.stop_evaluating = self._cut_short = self._state.is_cut_short = True
        if perf_counter() >= self._due:
            self._tell(batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._end_of_steps()
        if self._cut_short and logs:  # a validation over part of the data is no validation
            for name in [name for name in logs if name.startswith("val_")]:
                del logs[name]

    def _tell(self, batch: int) -> None:
        now = perf_counter()
        self._due = now + _SECONDS_BETWEEN_PROGRESS
        if not self._validating:
            self._measure(batch, now)
            self._read_metrics(batch, now)
        self._state.on_event(
            Progress(
                epoch=self._state.num_epochs + 1,
                step=batch,
                num_steps=None if self._validating else self._num_steps,
                validating=self._validating,
                steps_per_second=self._speed,
                metrics=self._metrics,
                memory=self._process.memory_info().rss,
            )
        )

    def _end_of_steps(self) -> None:
        """Count the steps since the last look, which for small data are all of an epoch."""
        if self._mark and self._num_steps and not self.model.stop_training:
            self._measure(self._num_steps, perf_counter())
        self._mark, self._has_traced = None, True

    def _measure(self, batch: int, now: float) -> None:
        if self._mark is None:
            return
        step, time = self._mark
        self._mark = batch, now
        self._window_steps += batch - step
        self._window_seconds += now - time
        if self._window_seconds > (_SECONDS_BETWEEN_METRICS if self._speed else 0.0):
            self._speed = self._window_steps / self._window_seconds
            self._window_steps, self._window_seconds = 0, 0.0

    def _read_metrics(self, batch: int, now: float) -> None:
        # Under several replicas a running value cannot be read: Keras's own sums would come out wrong (seen on two CPUs).
        if now >= self._metrics_due and batch and self.model.distribute_strategy.num_replicas_in_sync == 1:
            self._metrics_due = now + _SECONDS_BETWEEN_METRICS
            self._metrics = scalars(self.model.get_metrics_result())


class EpochWatch(keras.callbacks.Callback):
    """After each epoch: checks that the loss is finite, compares with the best, tells. It comes last in the list."""

    def __init__(self, state: RunState) -> None:
        super().__init__()
        self._state = state
        self._started = 0.0

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._state.best.set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        self._state.best.on_train_begin()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = self._state.now()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        state = self._state
        metrics = scalars(logs or {})
        ended = Epoch(number=state.num_epochs + 1, phase=state.phase, metrics=metrics, seconds=state.now() - self._started)
        state.epochs.append(ended)
        best = state.best.see(ended.number, metrics)
        if best and state.on_best:
            state.on_best(self.model)
        state.on_event(EpochEnded(epoch=ended, best=best))
        state.is_over = bool(self.model.stop_training)
        if state.ending:  # now, and not after a part of the next epoch
            self.model.stop_training = True
        if not state.allow_nan:
            self._check_finite(ended)

    @staticmethod
    def _check_finite(ended: Epoch) -> None:
        for name, value in ended.metrics.items():
            if "loss" in name and not math.isfinite(value):
                raise DivergedError(
                    f"expected a finite loss, received {name} {value} in epoch {ended.number}: lower the learning rate or look "
                    "at the data; the best weights so far are kept; --allow-nan goes on regardless"
                )
