"""The engine's one verb: train what a cell builds, under what the machine offers, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import keras

from jupyter_mltrain.domain.events import EngineChosen, FactsKnown, OnEvent, TrainControl
from jupyter_mltrain.domain.run import TrainingOutcome
from jupyter_mltrain.domain.spec import Cell, Precision, TrainSpec
from jupyter_mltrain.engine import devices, environment, strategy
from jupyter_mltrain.engine.best import BestEpoch
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.randomness import seed_all
from jupyter_mltrain.engine.training import Training
from jupyter_mltrain.engine.watch import RunState


def train(
    spec: TrainSpec,
    cell: Cell,
    *,
    folder: Path | None,
    on_event: OnEvent,
    control: TrainControl,
    interrupts: Interrupts,
) -> TrainingOutcome:
    """Run a cell's body with its `fit` calls done by the engine, or train the model that it builds.

    Args:
        spec: what the line asks for.
        cell: the body and its namespace.
        folder: where models and TensorBoard's files go; None writes nothing.
        on_event: told what happens, in this thread.
        control: asked between two steps whether to end.
        interrupts: entered by the caller.

    Raises:
        MLTrainError: what was asked cannot be done.
        Exception: whatever the body raises, unchanged.
    """
    found = devices.devices()
    choice = strategy.choose(spec.strategy, found)
    on_event(FactsKnown(facts={"environment": environment.facts(found), "deterministic": spec.deterministic}))
    scope = strategy.scope_of(choice, found)
    state = RunState(
        on_event=on_event,
        control=control,
        interrupts=interrupts,
        best=BestEpoch(spec.monitor, spec.early_stop),
        allow_nan=spec.allow_nan,
    )
    training = Training(spec, cell, scope, state, folder)
    with precision(spec.precision):
        on_event(
            EngineChosen(
                strategy=choice.kind,
                precision=keras.config.dtype_policy().name,
                plan=spec.plan,
                reason=choice.reason,
            )
        )
        state.seed = seed_all(spec)
        on_event(FactsKnown(facts={"seed": state.seed}))
        try:
            outcome = training.run_body()
        except BaseException:  # an interrupt too leaves something worth keeping
            with suppress(Exception):  # whatever goes wrong now, the first exception is the one to tell
                training.rescue()
            raise
    return training.finish(outcome, choice.kind, choice.reason)


@contextmanager
def precision(asked: Precision) -> Iterator[None]:
    """Set Keras's dtype policy for the layers that a body makes; `auto` leaves the policy and the body's own changes of it."""
    before = keras.config.dtype_policy()
    if asked is not Precision.AUTO:
        keras.config.set_dtype_policy(asked.value)
    try:
        yield
    finally:
        if asked is not Precision.AUTO:
            keras.config.set_dtype_policy(before)
