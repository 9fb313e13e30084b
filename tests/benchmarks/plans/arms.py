"""The two arms that are compared: bare `fit(verbose=0)`, and the engine behind `%%train`, each with a new model."""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import keras

from jupyter_mltrain.domain.events import TrainControl
from jupyter_mltrain.domain.spec import CellOutcome, Plan, TrainSpec
from jupyter_mltrain.engine.plans.sharing import IN_THIS_PROCESS
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.services.training import train
from tests.benchmarks.plans.models import Case

EPOCHS_WITHOUT_END = 1_000_000  # of a training that its `EpochClock` ends
_SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What an arm came to.

    Attributes:
        seconds: of the whole call, with tracing and compiling.
        history: Keras's own.
        plan, reason: what the engine used at the end, and what it says of it; empty for bare `fit`.
    """

    seconds: float
    history: dict[str, list[float]]
    plan: str = ""
    reason: str = ""


def bare(case: Case, num_rows: int, **arguments: Any) -> Trained:
    """Train with Keras alone; `arguments` are of `fit`, over the case's own."""
    model, given = _new(case, num_rows)
    started = perf_counter()
    history = model.fit(**given | arguments, verbose=0)
    return Trained(seconds=perf_counter() - started, history=history.history)


def engine(case: Case, num_rows: int, *, plan: Plan, again: bool = False, **arguments: Any) -> Trained:
    """Train with the engine, recording nothing and showing nothing; what it compiles beside is waited for afterwards.

    Args:
        case: what to train.
        num_rows: of its data.
        plan: that is asked for.
        again: whether it may use what an earlier training of such a model has traced and compiled.
        **arguments: of `fit`, over the case's own.
    """
    if not again:
        IN_THIS_PROCESS.forget()
    model, given = _new(case, num_rows)
    cell = _Cell(lambda: model.fit(**given | arguments))
    spec = TrainSpec(plan=plan, track=False)
    started = perf_counter()
    run, _ = train(Session(), spec, cell, on_event=lambda _event: None, control=TrainControl())
    seconds = perf_counter() - started
    _wait_for_compilers()  # or they would slow down whatever comes next
    assert run.result is not None
    return Trained(seconds=seconds, history=cell.history, plan=run.result.plan, reason=run.result.plan_reason)


class EpochClock(keras.callbacks.Callback):
    """Takes the times of the epochs, validation included, and ends the training with the epoch in which its time is over."""

    def __init__(self, most_seconds: float = math.inf) -> None:
        super().__init__()
        self._most_seconds, self._started = most_seconds, 0.0
        self._ends: list[float] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._started = perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._ends.append(perf_counter())
        if self._ends[-1] > self._started + self._most_seconds and len(self._ends) > 1:
            self.model.stop_training = True

    @property
    def seconds(self) -> list[float]:
        """Seconds of each epoch but the first, which traces."""
        return [end - before for before, end in zip(self._ends, self._ends[1:], strict=False)]


class _Cell:
    """A body that trains, as the engine takes it."""

    source = "model.fit(...)"
    lacks_hp, origin = False, None

    def __init__(self, fit: Callable[[], Any]) -> None:
        self._fit = fit
        self.history: dict[str, list[float]] = {}

    def run(self, hp: Any = None) -> CellOutcome:
        self.history = self._fit().history
        return CellOutcome()

    def copied(self) -> Any:
        raise NotImplementedError

    def evaluate(self, expression: str, option: str) -> Any:
        raise NotImplementedError


def _new(case: Case, num_rows: int) -> tuple[Any, dict[str, Any]]:
    keras.backend.clear_session()
    gc.collect()
    keras.utils.set_random_seed(_SEED)
    return case.make(num_rows)


def _wait_for_compilers() -> None:
    for thread in threading.enumerate():
        if thread.name == "mltrain-xla":
            thread.join()
