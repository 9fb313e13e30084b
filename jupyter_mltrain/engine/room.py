"""Refusing what the memory has no room for, before it is taken.

Only what cannot be otherwise is refused: variables, and what an optimizer keeps for them. Data stream where they do not fit, and
activations are an estimate, so of those there is a word at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute

from jupyter_mltrain.domain.errors import TooLargeError
from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.plans.fitting import data_parts
from jupyter_mltrain.engine.plans.memory import free_memory, most_memory, num_bytes, variable_bytes
from jupyter_mltrain.engine.unchanged import twin

_WORTH_A_LOOK = 256 * 2**20
_MOST_SLOTS = 8  # of an optimizer for each weight, for the shortcut past small models
_PLAINLY = 1.05
_UNINITIALIZED = "uninitialized_variables"  # Keras's own list


@contextmanager
def guarded(devices: Sequence[str]) -> Iterator[None]:
    """While entered, let no Keras variable be made that alone is larger than the memory that can be had.

    Whoever makes it gets a `TooLargeError`, where else the system would end the process.
    """
    original = keras.Variable._initialize_with_initializer  # noqa: SLF001 - the one place where each gets its first value

    def initialize(variable: Any, initializer: Any) -> None:
        size = variable_bytes([variable])
        if size > _WORTH_A_LOOK:
            _refuse_more(size, devices, f"{variable.path} of shape {variable.shape}", "make the layer smaller")
        original(variable, initializer)

    keras.Variable._initialize_with_initializer = initialize  # noqa: SLF001
    try:
        yield
    finally:
        keras.Variable._initialize_with_initializer = original  # noqa: SLF001


def check(model: Any, merged: dict[str, Any], *, plan: Plan, devices: Sequence[str]) -> list[str]:
    """Look whether a `fit` has room before it begins; return what there is to say of it.

    Args:
        model: compiled; nothing is known of one that is not built.
        merged: the arguments of `fit`.
        plan: that was asked for.
        devices: names of those that train.

    Raises:
        TooLargeError: what the optimizer will keep, and the gradient of the largest kernel, are plainly too much.
    """
    if model.built:
        check_needs(model, model.trainable_variables, devices)
    data = num_bytes(data_parts(merged))
    if plan is Plan.KERAS and data > free_memory(devices):
        need = f"The data need {gigabytes(data)} as tensors, more than is free"
        return [f"{need}: every other plan gathers them block by block, and a tf.data pipeline reads them as it goes."]
    return []


def check_needs(model: Any, trainable: Sequence[Any], devices: Sequence[str], *, more: int = 0) -> None:
    """Refuse a model whose training plainly needs more than can be had.

    Args:
        model: compiled.
        trainable: its variables that have gradients, with or without values.
        devices: names of those that train.
        more: bytes of weights that are yet to be taken.

    Raises:
        TooLargeError: the message says what needs how much.
    """
    if more + _MOST_SLOTS * variable_bytes(trainable) < _WORTH_A_LOOK:
        return
    is_standard = type(model).train_step is keras.Model.train_step  # another one may use another optimizer
    slots = slot_bytes(model.optimizer, trainable) if is_standard else 0
    what = f"model {model.name!r} with {type(model.optimizer).__name__}" if is_standard else f"model {model.name!r}"
    _refuse_more(
        more + slots + _largest_gradient(model),
        devices,
        what,
        "make its layers smaller, or choose an optimizer that keeps less (--optimizer sgd keeps nothing)",
    )


def slot_bytes(optimizer: Any, trainable: Sequence[Any]) -> int:
    """Return the bytes that an optimizer will take at least for variables, none if it has them already."""
    if optimizer is None or optimizer.built:
        return 0
    double = twin(optimizer)
    if double is optimizer:
        return 0
    anywhere = tf.Variable(0.0)  # each variable is made beside the value of its weight
    with deferred() as made, keras.StatelessScope() as scope, suppress(Exception):  # some make variables that have values
        for weight in trainable:
            scope.add_update((weight, anywhere))
        double.build(list(trainable))
    return variable_bytes(made)


@contextmanager
def deferred() -> Iterator[list[Any]]:
    """Let Keras variables be made without values, and give the list of them; who wants values initializes each."""
    before = get_global_attribute(_UNINITIALIZED)
    made: list[Any] = []
    set_global_attribute(_UNINITIALIZED, made)
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield made
    finally:
        set_global_attribute(_UNINITIALIZED, before)


def gigabytes(num_bytes: float) -> str:
    """Return `12.3 GB`, or `45.6 MB` where that is less than a tenth of one."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"


def _refuse_more(needed: int, devices: Sequence[str], what: str, remedy: str) -> None:
    most = most_memory(devices)
    if needed > _PLAINLY * most:
        raise TooLargeError(
            f"expected what fits into the {gigabytes(most)} of memory that can be had, received {what}, which needs "
            f"{gigabytes(needed)}: {remedy}, or train where there is more"
        )


def _largest_gradient(model: Any) -> int:
    """Return the bytes of the largest gradient that is there as a whole for certain: those of embeddings are of used rows."""
    layers = [layer for layer in model._flatten_layers() if type(layer).__module__.startswith("keras.")]  # noqa: SLF001
    whole = [layer for layer in layers if layer.compute_dtype == layer.variable_dtype]
    kernels = [vars(layer).get(name) for layer in whole for name in ("_kernel", "kernel")]
    sizes = [variable_bytes([kernel]) for kernel in kernels if isinstance(kernel, keras.Variable) and kernel.trainable]
    return max(sizes, default=0)
