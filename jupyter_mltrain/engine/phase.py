"""One `fit` of a run: the line's options over the cell's arguments, the checks, and the plan that carries it out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import keras

from jupyter_mltrain.domain.errors import DataError, DeviceError, OptionError
from jupyter_mltrain.domain.events import FactsKnown
from jupyter_mltrain.domain.spec import AUTO, Cell, Plan, TrainSpec
from jupyter_mltrain.engine import compiling, data, mirrored
from jupyter_mltrain.engine.checkpoints.checkpointing import Checkpointing
from jupyter_mltrain.engine.checkpoints.keras_loop import begun_after
from jupyter_mltrain.engine.plans import fitting
from jupyter_mltrain.engine.plans import selection as selecting
from jupyter_mltrain.engine.plans.sharing import Programs
from jupyter_mltrain.engine.strategy import Scope
from jupyter_mltrain.engine.watch import EpochWatch, RunState, StepWatch

_PLAIN = ("epochs", "batch_size", "shuffle", "steps_per_epoch", "validation_steps", "initial_epoch", "validation_split")
_EVALUATED = ("validation_data", "sample_weight", "class_weight")


def arguments(spec: TrainSpec, cell: Cell, model: Any, given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments for `fit`: the cell's own, with what the line says over them, and what was overridden."""
    merged, overridden = dict(given), []
    from_line = {name: getattr(spec, name) for name in _PLAIN if getattr(spec, name) not in (None, AUTO)}
    for name in _EVALUATED:
        if getattr(spec, name) is not None:
            from_line[name] = value_of(cell, getattr(spec, name), name)
    if "validation_data" in from_line:
        from_line["validation_data"] = _validation(from_line["validation_data"], spec.target, model)
        merged.pop("validation_split", None)
    if spec.data is not None:
        from_line |= data_arguments(spec, cell, model)
        if merged.pop("y", None) is not None and "y" not in from_line:
            overridden.append("--data overrides x and y in the cell.")
    for name, value in from_line.items():
        if name in given and given[name] is not value and not (name in _PLAIN and given[name] == value):
            shown = f" {value}, in the cell {given[name]}" if name in _PLAIN else ""
            overridden.append(f"The line overrides {name}{':' if shown else ''}{shown}.")
    merged |= from_line
    merged["callbacks"] = _callbacks(merged.get("callbacks")) + _callbacks(value_of(cell, spec.callbacks, "callbacks"))
    return merged, overridden


def data_arguments(spec: TrainSpec, cell: Cell, model: Any) -> dict[str, Any]:
    """Return the line's data as arguments of `fit`."""
    return data.fit_arguments(value_of(cell, spec.data, "data"), spec.target, model)


def value_of(cell: Cell, value: Any, option: str) -> Any:
    """Evaluate what came as text from the line; take an object from Python as it is."""
    return cell.evaluate(value, f"--{option.replace('_', '-')}") if isinstance(value, str) else value


def _validation(value: Any, target: str | None, model: Any) -> Any:
    parts = data.fit_arguments(value, target, model)
    return tuple(parts.values()) if len(parts) > 1 else parts["x"]


def _callbacks(callbacks: Any) -> list[Any]:
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    return keras.tree.flatten(callbacks) if callbacks else []


def prepare(model: Any, merged: dict[str, Any], spec: TrainSpec) -> list[str]:
    """Compile where that was left out and check everything that can be; return what was chosen.

    Raises:
        DataError, ModelError, OptionError: the first step would fail, or teach nothing.
    """
    if merged.get("x") is None:
        raise DataError(f"expected data for model {model.name!r}, received none: pass x to fit, or --data")
    if (spec.monitor or "").startswith("val_") and merged.get("validation_data") is None and not merged.get("validation_split"):
        raise OptionError(
            f"expected validation data for --monitor {spec.monitor}, received none: pass --val or --validation-split"
        )
    chosen = compiling.apply(model, spec, merged)
    data.check(merged, model, allow_nan=spec.allow_nan)
    if hasattr(merged["x"], "element_spec"):
        merged.setdefault(
            "shuffle", False
        )  # a tf.data pipeline shuffles itself; Keras would warn that it ignores its own default
    return chosen


def run(
    fit: Any,
    model: Any,
    merged: dict[str, Any],
    *,
    spec: TrainSpec,
    scope: Scope,
    state: RunState,
    say: Callable[[str], None],
    programs: Programs,
    checkpointing: Checkpointing | None = None,
    extras: Sequence[Any] = (),
) -> Any:
    """Train; return what Keras's `fit` returns.

    Args:
        fit: Keras's own.
        model: compiled.
        merged: the arguments of `fit`.
        spec: what the line asks for.
        scope: of the strategy.
        state: of the run.
        say: told in a sentence why a plan cannot be what was asked for.
        programs: where those of models that are made alike are kept.
        checkpointing: takes checkpoints, and puts back the one that a `fit` goes on from.
        extras: callbacks of ours besides.

    Raises:
        DeviceError: the model was built for other devices.
        DataError: several devices cannot share the data.
        DivergedError: at the end of an epoch.
    """
    state.phase += 1
    selection = replace(select(model, merged, spec, scope), programs=programs)
    if selection.reason:
        say(selection.reason)
    start = checkpointing.start if checkpointing else None
    going_on: AbstractContextManager[None] = nullcontext()
    if start:
        done = start.is_end or start.is_over
        going_on = begun_after(0 if done else start.epoch - merged.get("initial_epoch", 0))
        merged = {**merged, "initial_epoch": merged.get("epochs", 1) if done else start.epoch}
    callbacks = [StepWatch(state, num_epochs(merged)), *merged["callbacks"], *extras, EpochWatch(state)]
    if checkpointing:  # a phase that is done calls nobody else
        callbacks = [*(callbacks if not (start and start.is_end) else []), checkpointing.history, checkpointing]
    with place_of(model, merged["x"], spec, scope):
        if selection.plan is Plan.KERAS:
            state.plan, state.plan_reason = Plan.KERAS, ""
            with going_on:
                return fit(model, **{**merged, "callbacks": callbacks, "verbose": 0})
        if state.order_seed is None:
            state.order_seed = random.getrandbits(31) if state.seed is None else state.seed
            state.on_event(FactsKnown(facts={"order": f"PCG64([{state.order_seed}, phase, epoch])"}))
        place = fitting.Place(seed=state.order_seed, phase=state.phase, num_before=state.num_epochs)
        return fitting.fit(model, {**merged, "callbacks": callbacks}, selection, place, state, checkpointing=checkpointing)


def select(model: Any, merged: dict[str, Any], spec: TrainSpec, scope: Scope) -> selecting.Selection:
    """Return what a `fit` is done with; who gives a seed wants the same numbers again."""
    selection = selecting.select(
        model,
        merged,
        merged["callbacks"],
        asked=spec.plan,
        has_strategy=scope.strategy is not None,
        is_held=fitting.is_held(merged, share=spec.data_memory, devices=scope.devices),
    )
    return replace(selection, may_switch=spec.seed is None and not spec.deterministic)


def num_epochs(merged: dict[str, Any]) -> int:
    """Return how many epochs a `fit` will run at most."""
    return merged.get("epochs", 1) - merged.get("initial_epoch", 0)


def place_of(model: Any, x: Any, spec: TrainSpec, scope: Scope) -> Any:
    """Return the context to train a model in: out of the strategy's scope where it was built out of it."""
    if scope.strategy is None:
        return nullcontext()
    if hasattr(x, "__next__"):  # one of four trainings in bare Keras reports another loss (measured on two CPUs)
        raise DataError(
            "expected data that several devices can share, received a Python generator: wrap it in keras.utils.PyDataset or "
            "tf.data, or name one device with --strategy gpu:0 or cpu"
        )
    import tensorflow as tf

    if not all(isinstance(variable.value, tf.distribute.DistributedValues) for variable in model.variables):
        if spec.strategy == "mirrored":
            raise DeviceError(
                f"expected a model built in this cell for --strategy mirrored, received {model.name!r}, built before: "
                "move its lines into the cell, or leave --strategy out"
            )
        return scope.suspended()
    mirrored.prepare(model, scope.strategy)
    return nullcontext()
