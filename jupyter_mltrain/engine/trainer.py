"""The engine's one verb: train what a cell builds, under what the machine offers, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from jupyter_mltrain.domain.device import Device
from jupyter_mltrain.domain.events import EngineChosen, FactsKnown, Notice, OnEvent, TrainControl
from jupyter_mltrain.domain.run import TrainingOutcome
from jupyter_mltrain.domain.spec import Cell, Precision, TrainSpec
from jupyter_mltrain.engine import devices, environment, strategy
from jupyter_mltrain.engine.best import BestEpoch
from jupyter_mltrain.engine.checkpoints.keeper import Keeper
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.training import Training
from jupyter_mltrain.engine.watch import RunState

if TYPE_CHECKING:
    from jupyter_mltrain.engine.checkpoints.checkpoint import Resumption
    from jupyter_mltrain.engine.checkpoints.forking import Fork
    from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters


def train(
    spec: TrainSpec,
    cell: Cell,
    *,
    folder: Path | None,
    on_event: OnEvent,
    control: TrainControl,
    interrupts: Interrupts,
    values: Mapping[str, Any] | None = None,
    resumption: Resumption | None = None,
    num_before: int = 0,
    fork: Fork | None = None,
) -> TrainingOutcome:
    """Run a cell's body with its `fit` calls done by the engine, or train the model that it builds.

    Args:
        spec: what the line asks for.
        cell: the body and its namespace.
        folder: where models and TensorBoard's files go; None writes nothing.
        on_event: told what happens, in this thread.
        control: asked between two steps whether to end.
        interrupts: entered by the caller.
        values: of hyperparameters, for a body that asks for some; the others have their defaults.
        resumption: where a run goes on; None for one that begins.
        num_before: epochs of what the run was forked from.
        fork: what the first `fit` begins with, if that is a state of another run.

    Raises:
        MLTrainError: what was asked cannot be done.
        Exception: whatever the body raises, unchanged.
    """
    found = devices.devices()
    on_event(FactsKnown(facts={"environment": environment.facts(found), "deterministic": spec.deterministic}))
    hp = hyperparameters(cell, resumption.target.hp if resumption else values)
    keeper = Keeper(folder, spec.checkpoint_every, spec.keep_checkpoints) if folder else None
    job = Job(
        folder=folder,
        on_event=on_event,
        control=control,
        interrupts=interrupts,
        hp=hp,
        keeper=keeper,
        resumption=resumption,
        num_before=num_before,
        fork=fork,
    )
    outcome = train_once(spec, cell, job, found)
    if hp is None:
        return outcome
    on_event(FactsKnown(facts={"hp": hp.used}))
    unused = ", ".join(hp.unused)
    if unused:
        on_event(Notice(text=f"The cell asks for no hyperparameter {unused}."))
    return outcome


def hyperparameters(cell: Cell, values: Mapping[str, Any] | None) -> HyperParameters | None:
    """Return hyperparameters with these values for a cell; None where none are given and it asks for none."""
    if values is None and not cell.lacks_hp:
        return None
    from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters

    return HyperParameters.of(values or {})


def train_once(spec: TrainSpec, cell: Cell, job: Job, found: tuple[Device, ...]) -> TrainingOutcome:
    """Do what `train` does, on the devices found, and tell nothing of the environment."""
    choice = strategy.choose(spec.strategy, found)
    scope = strategy.scope_of(choice, found)
    state = RunState(
        on_event=job.on_event,
        control=job.control,
        interrupts=job.interrupts,
        best=BestEpoch(spec.monitor, spec.early_stop),
        allow_nan=spec.allow_nan,
        num_before=job.num_before,
    )
    training = Training(spec, cell, scope, state, job)
    with precision(spec.precision):
        job.on_event(
            EngineChosen(
                strategy=choice.kind,
                precision=keras.config.dtype_policy().name,
                plan=spec.plan,
                reason=choice.reason,
            )
        )
        state.seed = job.seeds(spec)
        job.on_event(FactsKnown(facts={"seed": state.seed}))
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
