"""What one `fit` would need: counted from its model, its data and the graph of a step, and timed by steps that are taken back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import keras
from keras.src.backend import compute_output_spec
from keras.src.trainers.data_adapters.data_adapter_utils import unpack_x_y_sample_weight

from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.spec import Plan, TrainSpec
from jupyter_mltrain.engine import phase, room
from jupyter_mltrain.engine.facts import model_name, num_params
from jupyter_mltrain.engine.plans import fitting
from jupyter_mltrain.engine.plans.activations import activation_bytes
from jupyter_mltrain.engine.plans.memory import free_memory, has_gpu, variable_bytes
from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.plans.sampling import Sample, sampled
from jupyter_mltrain.engine.plans.selection import Selection
from jupyter_mltrain.engine.strategy import Scope
from jupyter_mltrain.engine.trying import Trial, tried
from jupyter_mltrain.engine.unchanged import optimizers, variables_of


def estimate(
    fit: Any,
    model: Any,
    merged: dict[str, Any],
    *,
    spec: TrainSpec,
    scope: Scope,
    notices: Iterable[str],
    is_ending: Callable[[], bool],
) -> Estimate:
    """Estimate one `fit`; every variable has its value afterwards, and an unbuilt model is built.

    Args:
        fit: Keras's own.
        model: compiled, within `unchanged`.
        merged: the arguments of `fit`.
        spec: what the line asks for.
        scope: of the strategy.
        notices: what there was to say so far.
        is_ending: asked between steps whether to give up.

    Raises:
        TooLargeError: there is plainly no room for the model.
    """
    said = [*notices, *room.check(model, merged, plan=spec.plan, devices=scope.devices)]
    free = free_memory(scope.devices) + variable_bytes(variables_of(model))
    selection = phase.select(model, merged, spec, scope)
    sample = sampled(merged, selection)
    if not model.built and sample.batch is not None:
        _build(model, sample.batch, scope)
    program = _traced(model, sample, selection, scope)
    needs = _needs(model, sample, program, scope)
    needed = sum(size or 0 for size in needs.values())
    if needed > free:
        said.append(_said_of_too_little(needed, free, needs["activations"] or 0))
    obstacle = sample.obstacle or _obstacle(model, program, needs, free)
    if obstacle:
        said.append(f"No step was tried: {obstacle}.")
        trial = Trial(plan=selection.plan, reason=selection.reason)
    else:
        with phase.place_of(model, merged["x"], spec, scope):
            trial = tried(fit, model, sample, program, selection, is_ending=is_ending)
    if trial.validation_seconds is None:
        said.append("The time of an epoch is without its validation.")
    num_trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return Estimate(
        model=model_name(model),
        num_trainable=num_trainable,
        num_frozen=num_params(model) - num_trainable,
        batch_size=sample.batch_size,
        num_steps=sample.num_steps,
        epochs=phase.num_epochs(merged),
        **needs,
        memory_free=free,
        plan=trial.plan,
        reason=trial.reason,
        step_seconds=trial.step_seconds,
        epoch_seconds=_epoch_seconds(trial, sample),
        notices=tuple(said),
    )


def _obstacle(model: Any, program: Program | None, needs: dict[str, Any], free: int) -> str:
    """Return why no step can be tried, as part of a sentence, or nothing."""
    if program is None and not model.built:
        return "its first step would build the model"
    needed = sum(size or 0 for size in needs.values())
    needed += needs["activations"] or 0  # they are an estimate, and a process that dies tells nothing
    needed += 2 * (needs["weights"] + needs["optimizer"])  # they are kept, and XLA compiles with as many
    return "there is no memory for it" if needed > free else ""


def _epoch_seconds(trial: Trial, sample: Sample) -> float | None:
    if trial.step_seconds is None or sample.num_steps is None:
        return None
    return trial.step_seconds * sample.num_steps + (trial.validation_seconds or 0.0)


def _said_of_too_little(needed: int, free: int, activations: int) -> str:
    """Name what brings down the larger part."""
    remedy = "a smaller --batch-size, or --precision mixed_bfloat16" if activations > needed / 2 else "smaller layers"
    return f"This needs about {room.gigabytes(needed)} of memory, and {room.gigabytes(free)} can be had: try {remedy}."


def _needs(model: Any, sample: Sample, program: Program | None, scope: Scope) -> dict[str, Any]:
    """Return bytes under the names that they have in an `Estimate`."""
    slots = sum(variable_bytes(each.variables) for each in optimizers(model).values() if each.built)
    if program is None:
        slots += room.slot_bytes(model.optimizer, model.trainable_variables)
    weights = variable_bytes(model.weights)
    return {
        "weights": weights,
        "gradients": variable_bytes(model.trainable_weights),
        "optimizer": slots,
        "best_weights": 0 if has_gpu(scope.devices) else weights,
        "activations": activation_bytes(program.graph) if program else None,
        "data": sample.num_bytes,
    }


def _traced(model: Any, sample: Sample, selection: Selection, scope: Scope) -> Program | None:
    """Return the step for a full batch; None where it cannot be traced without doing it."""
    if sample.batch is None or scope.strategy is not None or model.run_eagerly:
        return None
    if sample.feed is not None:
        fitting.build(model, sample.feed)
    try:
        return Program(model.train_step, sample.batch, jit_compile=model.jit_compile)
    except Exception:  # it is raised again, but where a model that makes its own train_function need have no such step
        if selection.plan is Plan.KERAS:
            return None
        raise


def _build(model: Any, batch: Any, scope: Scope) -> None:
    """Build a model that is not, with its size known before anything is taken for it.

    Raises:
        TooLargeError: there is plainly no room for it.
    """
    x, *_ = unpack_x_y_sample_weight(batch)
    symbolic = keras.tree.map_structure(lambda spec: keras.KerasTensor(spec.shape, spec.dtype.name), x)
    with room.deferred() as made, suppress(Exception):  # what is wrong with it the trace says better
        compute_output_spec(model, symbolic)
    trainable = [variable for variable in made if variable.trainable]
    room.check_needs(model, trainable, scope.devices, more=variable_bytes(made))
    for variable in made:
        variable._deferred_initialize()  # noqa: SLF001 - what Keras does at the end of such a scope
