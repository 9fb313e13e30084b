"""A cell that runs as it always does up to its first `fit`, which is estimated and not done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import unwrap
from typing import Any

from jupyter_mltrain.domain.errors import ModelError
from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.events import TrainControl
from jupyter_mltrain.domain.spec import Cell, TrainSpec
from jupyter_mltrain.engine import devices, phase, strategy
from jupyter_mltrain.engine.best import BestEpoch
from jupyter_mltrain.engine.estimating import estimate
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.randomness import all_untouched, seed_all
from jupyter_mltrain.engine.strategy import Scope
from jupyter_mltrain.engine.trainer import hyperparameters, precision
from jupyter_mltrain.engine.training import EndOfRun, Training
from jupyter_mltrain.engine.unchanged import unchanged
from jupyter_mltrain.engine.watch import RunState


def rehearse(spec: TrainSpec, cell: Cell, *, interrupts: Interrupts, values: Mapping[str, Any] | None = None) -> Estimate:
    """Run a cell's body up to its first `fit` and estimate that, or the `fit` of the model that it builds.

    Nothing is trained and nothing is written. Random generators, and a model that there was before, are as they were
    afterwards; where that one was not built, it is.

    Args:
        spec: what the line asks for.
        cell: the body and its namespace.
        interrupts: entered by the caller.
        values: of hyperparameters, for a body that asks for some; the others have their defaults.

    Raises:
        MLTrainError: what was asked cannot be done.
        Exception: whatever the body raises, unchanged.
        KeyboardInterrupt: it was interrupted.
    """
    found: list[Estimate] = []

    def on_fit(original: Any, model: Any, merged: dict[str, Any], notices: list[str], scope: Scope) -> None:
        found.append(
            estimate(
                original,
                model,
                merged,
                spec=spec,
                scope=scope,
                notices=notices,
                is_ending=lambda: interrupts.received,
            )
        )

    run_to_first_fit(spec, cell, on_fit, interrupts=interrupts, hp=hyperparameters(cell, values))
    return found[0]


OnFirstFit = Callable[[Any, Any, dict[str, Any], list[str], Scope], None]


def run_to_first_fit(spec: TrainSpec, cell: Cell, on_fit: OnFirstFit, *, interrupts: Interrupts, hp: Any = None) -> None:
    """Run a cell's body up to its first `fit`, or up to the `fit` of the model that it builds, and leave things as they were.

    Args:
        spec: what the line asks for.
        cell: the body and its namespace.
        on_fit: called in place of that `fit` with Keras's own, the compiled model, the arguments, what there is to say, and
            the strategy's scope.
        interrupts: entered by the caller.
        hp: hyperparameters for the body.

    Raises:
        MLTrainError, Exception, KeyboardInterrupt: as `rehearse`.
    """
    found = devices.devices()
    scope = strategy.scope_of(strategy.choose(spec.strategy, found), found)
    with all_untouched(), precision(spec.precision):
        seed_all(spec)
        with suppress(EndOfRun):
            job = Job(folder=None, on_event=lambda _event: None, control=TrainControl(), interrupts=interrupts, hp=hp)
            _Rehearsal(spec, cell, scope, job, on_fit).run_body()
    if interrupts.received:
        raise KeyboardInterrupt


class _Rehearsal(Training):
    """The phases of a run that ends before its first one."""

    def __init__(self, spec: TrainSpec, cell: Cell, scope: Scope, job: Job, on_fit: OnFirstFit) -> None:
        state = RunState(
            on_event=job.on_event,
            control=job.control,
            interrupts=job.interrupts,
            best=BestEpoch(spec.monitor, spec.early_stop),
            allow_nan=spec.allow_nan,
        )
        super().__init__(spec, cell, scope, state, job)
        self._on_fit = on_fit

    def fit(self, original: Any, model: Any, given: dict[str, Any]) -> Any:
        """Hand on one captured `fit`, and end the body."""
        with self._interrupts.deferred(), unchanged(model):
            merged, overridden = phase.arguments(self._spec, self._cell, model, given)
            notices = [*overridden, *phase.prepare(model, merged, self._spec)]
            self._on_fit(original, model, merged, notices, self._scope)
        raise EndOfRun

    def own_fit(self, call: Callable[[], Any], model: Any) -> Any:
        """Call a `fit` that the user's class overrides, if it comes to call Keras's: one with a loop of its own would train."""
        override = unwrap(getattr(call, "func", call))
        if "fit" not in getattr(override, "__code__", override).co_names:
            raise ModelError(
                f"expected a fit of Keras to look at before training, received {type(model).__name__}.fit, which has its own "
                "loop: what it needs shows when it runs, under %%train"
            )
        return call()
