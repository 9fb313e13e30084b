"""Which plan keeps the meaning of a `fit`, and why not a faster one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras.src.trainers.data_adapters.array_data_adapter import can_convert_arrays

from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.plans.gathering import can_gather

if TYPE_CHECKING:
    from jupyter_mltrain.engine.plans.sharing import Programs

_TOO_LARGE = "they need more of the free memory than data_memory allows"
_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a `fit` is done with.

    Attributes:
        plan: `keras`, or what was asked for.
        most_steps: of one call; None for as many as time allows.
        reason: one sentence where it is less than what was asked for, else empty.
        is_held: whether all data are kept as tensors, or gathered block by block from where they are.
        may_switch: whether `auto` may change the plan while it trains. When it does depends on the time that things take, and
            another moment gives other numbers.
        is_brief: whether so few steps are planned that TensorFlow's graph optimizer costs more than it brings. Its graph rounds
            otherwise, so this hangs on what is planned, not on what is left.
        programs: where those of models that are made alike are kept; None where each model has its own.
    """

    plan: Plan
    most_steps: int | None = None
    reason: str = ""
    is_held: bool = True
    may_switch: bool = True
    is_brief: bool = False
    programs: Programs | None = None


def select(
    model: Any, arguments: dict[str, Any], callbacks: Sequence[Any], *, asked: Plan, has_strategy: bool, is_held: bool
) -> Selection:
    """Choose what keeps the meaning.

    Args:
        model: as it is compiled.
        arguments: of `fit`.
        callbacks: the user's own.
        asked: the plan of the line.
        has_strategy: whether several devices share the work.
        is_held: whether the data fit in the memory that may be taken for them.
    """
    if asked is Plan.KERAS:
        return Selection(Plan.KERAS)
    obstacle = find_obstacle(model, arguments, has_strategy=has_strategy)
    if obstacle:
        return Selection(Plan.KERAS, reason=f"Plan keras: {obstacle}.")
    needy = [type(callback).__name__ for callback in callbacks if _needs_batches(callback)]
    if needy:
        reason = f"Plan block, one step at a time: {needy[0]} is called for every batch."
        return Selection(Plan.BLOCK, 1, reason, is_held=is_held)
    streams = _why_it_streams(arguments["x"], asked, is_held=is_held)
    if streams:
        return Selection(Plan.BLOCK, reason=f"Plan block{streams}.", is_held=is_held)
    return Selection(asked, reason="" if is_held else f"The data stream in blocks: {_TOO_LARGE}.", is_held=is_held)


def _why_it_streams(x: Any, asked: Plan, *, is_held: bool) -> str:
    """Return why a plan that was asked for cannot be had for these data, or nothing."""
    if asked not in (Plan.EPOCH, Plan.EPOCH_XLA):
        return ""
    if is_dataset(x) and asked is Plan.EPOCH:
        return ": a tf.data pipeline is read as it goes"
    if is_dataset(x) and not can_gather(x.element_spec):
        return ": the pipeline's batches have no fixed shapes"
    return "" if is_held else f", the data stream: {_TOO_LARGE}"


def is_dataset(x: Any) -> bool:
    """Tell whether data are a tf.data pipeline of this process."""
    import tensorflow as tf

    return isinstance(x, tf.data.Dataset)


def are_arrays(*parts: Any) -> bool:
    """Tell whether data are dense arrays, in whatever structure; a whole part may be None."""
    leaves = [leaf for part in parts if part is not None for leaf in keras.tree.flatten(part)]
    return can_convert_arrays(parts) and not any(leaf is None or _is_sparse(leaf) for leaf in leaves)


def find_obstacle(model: Any, arguments: dict[str, Any], *, has_strategy: bool) -> str | None:
    """Return what keeps a `fit` in Keras's own loop, as part of a sentence, or None."""
    x, is_stream = arguments["x"], is_dataset(arguments["x"])
    others = (arguments.get("y"), arguments.get("sample_weight"))
    obstacles = {
        "several devices share the work": has_strategy,
        "the model is compiled with run_eagerly": model.run_eagerly,
        f"{type(model).__name__} makes its own train_function": (
            type(model).make_train_function is not keras.Model.make_train_function
        ),
        "Keras is told to shorten every training": keras.config.max_epochs() or keras.config.max_steps_per_epoch(),
        f"{type(x).__name__} gives its batches one by one, in an order of its own": (
            not is_stream and not can_convert_arrays((x, *others))
        ),
        "the data are sparse or ragged, or some outputs have no weights": not is_stream and not are_arrays(x, *others),
        "steps_per_epoch cuts arrays into epochs that Keras alone defines": not is_stream and arguments.get("steps_per_epoch"),
    }
    return next((obstacle for obstacle, is_there in obstacles.items() if is_there), None)


def _is_sparse(part: Any) -> bool:
    return type(part).__name__ in ("RaggedTensor", "SparseTensor") or type(part).__module__.startswith("scipy.sparse")


def _needs_batches(callback: Any) -> bool:
    if isinstance(callback, keras.callbacks.TerminateOnNaN):  # a loss that is not a number stays so to the end of a block
        return False
    if isinstance(callback, keras.callbacks.ModelCheckpoint | keras.callbacks.BackupAndRestore):
        return bool(callback.save_freq != "epoch")
    if isinstance(callback, keras.callbacks.TensorBoard):
        return callback.update_freq != "epoch" or bool(callback._should_trace)  # noqa: SLF001
    return any(overrides(callback, hook) for hook in _BATCH_HOOKS)


def overrides(callback: Any, hook: str) -> bool:
    """Tell whether a callback does something at one of Keras's hooks."""
    method = getattr(callback, hook)
    return getattr(method, "__func__", method) is not getattr(keras.callbacks.Callback, hook)
