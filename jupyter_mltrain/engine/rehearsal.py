"""A cell that runs as it always does up to its first `fit`, which is estimated and not done."""

from __future__ import annotations

from collections.abc import Callable
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
from jupyter_mltrain.engine.randomness import all_untouched, seed_all
from jupyter_mltrain.engine.strategy import Scope
from jupyter_mltrain.engine.trainer import precision
from jupyter_mltrain.engine.training import EndOfRun, Training
from jupyter_mltrain.engine.unchanged import unchanged
from jupyter_mltrain.engine.watch import RunState


def rehearse(spec: TrainSpec, cell: Cell, *, interrupts: Interrupts) -> Estimate:
    """Run a cell's body up to its first `fit` and estimate that, or the `fit` of the model that it builds.

    Nothing is trained and nothing is written. Random generators, and a model that there was before, are as they were
    afterwards; where that one was not built, it is.

    Args:
        spec: what the line asks for.
        cell: the body and its namespace.
        interrupts: entered by the caller.

    Raises:
        MLTrainError: what was asked cannot be done.
        Exception: whatever the body raises, unchanged.
        KeyboardInterrupt: it was interrupted.
    """
    found = devices.devices()
    scope = strategy.scope_of(strategy.choose(spec.strategy, found), found)
    with all_untouched(), precision(spec.precision):
        seed_all(spec)
        rehearsal = _Rehearsal(spec, cell, scope, interrupts)
        with suppress(EndOfRun):
            rehearsal.run_body()
    if interrupts.received:
        raise KeyboardInterrupt
    assert rehearsal.estimate is not None
    return rehearsal.estimate


class _Rehearsal(Training):
    """The phases of a run that ends before its first one."""

    def __init__(self, spec: TrainSpec, cell: Cell, scope: Scope, interrupts: Interrupts) -> None:
        state = RunState(
            on_event=lambda _event: None,
            control=TrainControl(),
            interrupts=interrupts,
            best=BestEpoch(spec.monitor, spec.early_stop),
            allow_nan=spec.allow_nan,
        )
        super().__init__(spec, cell, scope, state, None)
        self.estimate: Estimate | None = None

    def fit(self, original: Any, model: Any, given: dict[str, Any]) -> Any:
        """Estimate one captured `fit`, and end the body."""
        with self._interrupts.deferred(), unchanged(model):
            merged, overridden = phase.arguments(self._spec, self._cell, model, given)
            self.estimate = estimate(
                original,
                model,
                merged,
                spec=self._spec,
                scope=self._scope,
                notices=[*overridden, *phase.prepare(model, merged, self._spec)],
                is_ending=lambda: self._interrupts.received,
            )
        raise EndOfRun

    def own_fit(self, call: Callable[[], Any], model: Any) -> Any:
        """Call a `fit` that the user's class overrides, if it comes to call Keras's: one with a loop of its own would train."""
        override = unwrap(getattr(call, "func", call))
        if "fit" not in getattr(override, "__code__", override).co_names:
            raise ModelError(
                f"expected a fit of Keras for --dry-run, received {type(model).__name__}.fit, which has its own loop: what it "
                "needs shows when it runs"
            )
        return call()
