"""Trying a few steps of a `fit` in the plan that it would have, and taking them back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine import phase
from jupyter_mltrain.engine.plans import copying, fitting
from jupyter_mltrain.engine.plans.passes import runner_of
from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.plans.restoring import restored
from jupyter_mltrain.engine.plans.runner import Runner, milliseconds
from jupyter_mltrain.engine.plans.sampling import Sample
from jupyter_mltrain.engine.plans.selection import Selection, is_dataset
from jupyter_mltrain.engine.plans.timing import keras_step_seconds, step_seconds
from jupyter_mltrain.engine.unchanged import kept_values, variables_of

IsEnding = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What trying has shown.

    Attributes:
        plan: that the steps are done with once it is settled.
        reason: in a sentence.
        step_seconds: of a step of training; None where that could not be measured.
        validation_seconds: of a whole validation, 0 without one; None where that could not be measured.
    """

    plan: Plan
    reason: str
    step_seconds: float | None = None
    validation_seconds: float | None = 0.0


def tried(fit: Any, model: Any, sample: Sample, program: Program | None, selection: Selection, *, is_ending: IsEnding) -> Trial:
    """Do steps of training and of validation for about a second, and what compiling takes where that pays.

    Args:
        fit: Keras's own.
        model: compiled, within `unchanged`; its variables have their values afterwards.
        sample: of the data.
        program: the step for a full batch, where it could be traced.
        selection: what the `fit` will be done with.
        is_ending: asked between steps whether to give up.
    """
    if selection.plan is Plan.KERAS or program is None or sample.feed is None:
        with kept_values(variables_of(model)):
            return _tried_by_keras(fit, model, sample, selection, is_ending)
    is_of_one_size = keras.tree.flatten(sample.feed.spec) == keras.tree.flatten(sample.batch)
    steps = program if is_of_one_size else Program(model.train_step, sample.feed.spec, jit_compile=model.jit_compile)
    runner = Runner(steps, selection, is_ending)
    with restored(steps):
        seconds = step_seconds(runner, sample.feed, epochs=phase.num_epochs(sample.arguments), is_ending=is_ending)
    validation_seconds = _validation_seconds(model, sample.arguments, selection, is_ending)
    since_when = " since epoch 1"  # it is compiled when the trial is, in a training later
    reason = " ".join(sentence for sentence in (selection.reason, runner.reason.replace(since_when, "")) if sentence)
    return Trial(plan=runner.plan, reason=reason, step_seconds=seconds, validation_seconds=validation_seconds)


def _tried_by_keras(fit: Any, model: Any, sample: Sample, selection: Selection, is_ending: IsEnding) -> Trial:
    seconds = keras_step_seconds(fit, model, sample.arguments, is_ending=is_ending)
    reason = f"Keras's own loop: {milliseconds(seconds)} a step." if seconds else ""
    return Trial(
        plan=Plan.KERAS,
        reason=" ".join(sentence for sentence in (selection.reason, reason) if sentence),
        step_seconds=seconds,
        validation_seconds=0.0 if fitting.split(sample.arguments)[1] is None else None,
    )


def _validation_seconds(model: Any, arguments: dict[str, Any], selection: Selection, is_ending: IsEnding) -> float | None:
    data = fitting.split(arguments)[1]
    if data is None:
        return 0.0
    if is_dataset(data[0]):
        data = (copying.copied(data[0]), *data[1:])
    feed = None if data[0] is None else fitting.validation_feed_of(model, data, arguments, held=selection.is_held)
    if feed is None or feed.num_steps is None:
        return None
    runner = runner_of(model, "test", feed, selection, is_ending)
    with restored(runner.program):
        seconds = step_seconds(runner, feed, epochs=phase.num_epochs(arguments), is_ending=is_ending)
    return seconds and seconds * feed.num_steps
