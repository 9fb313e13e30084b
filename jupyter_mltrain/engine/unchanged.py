"""A model that is tried out and afterwards is as it was: its values, its optimizer, and how it was compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

_OF_COMPILE_AND_FIT = (
    "_compile_config",
    "_compile_loss",
    "_compile_metrics",
    "_compiled_trainable_state",
    "_eval_epoch_iterator",
    "_initial_epoch",
    "_jit_compile",
    "_loss_tracker",
    "_maybe_symbolic_build",
    "_run_eagerly",
    "compiled",
    "history",
    "loss",
    "optimizer",
    "predict_function",
    "steps_per_execution",
    "stop_training",
    "test_function",
    "train_function",
)
_OF_LAYERS = ("rate", "kernel_regularizer")


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Let a model be compiled, and traced with all that belongs to it, and put back how it was compiled.

    Optimizers that have no variables yet are replaced by twins for the time: which variables they are for is settled when they
    are built, and must stay open. The values of variables are not looked after, but for learning rates.
    """
    with ExitStack() as stack:
        for layer in model._flatten_layers(include_self=False):  # noqa: SLF001
            _keep(layer, _OF_LAYERS, stack)
            for kernel in (vars(layer).get("_kernel"), vars(layer).get("kernel")):
                if isinstance(kernel, keras.Variable):
                    _keep(kernel, ("_regularizer",), stack)
        own = optimizers(model)
        _keep(model, (*_OF_COMPILE_AND_FIT, *own), stack)
        for name, optimizer in own.items():
            if optimizer.built:
                _keep_rate(optimizer, stack)
            else:
                vars(model)[name] = twin(optimizer)
        yield


@contextmanager
def kept_values(variables: Iterable[Any]) -> Iterator[None]:
    """Let variables be changed, and put their values back bit for bit.

    Args:
        variables: of Keras or of TensorFlow.
    """
    values = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]
    before = [(value, tf.identity(value)) for value in values]
    try:
        yield
    finally:
        for value, kept in before:
            value.assign(kept)


def optimizers(model: Any) -> dict[str, Any]:
    """Return the optimizers of a model by the attribute that they are: a GAN has two."""
    return {name: value for name, value in vars(model).items() if isinstance(value, keras.optimizers.Optimizer)}


def variables_of(model: Any) -> list[Any]:
    """Return the variables that there are of a model, its metrics and its optimizers."""
    of_optimizers = [variable for optimizer in optimizers(model).values() for variable in optimizer.variables]
    return [*model.variables, *model.metrics_variables, *of_optimizers]


def twin(optimizer: Any) -> Any:
    """Return an optimizer of the same settings and no variables; the same one where it has no settings to make it from."""
    try:
        return type(optimizer).from_config(optimizer.get_config())
    except Exception:  # noqa: BLE001 - whatever a user's own class may raise
        return optimizer


def _keep(something: Any, names: tuple[str, ...], stack: ExitStack) -> None:
    """Put attributes back when the stack is left, past what Keras does when one is set."""
    attributes = vars(something)
    before = {name: attributes[name] for name in names if name in attributes}

    def put_back() -> None:
        for name in names:
            attributes.pop(name, None)
        attributes.update(before)

    stack.callback(put_back)


def _keep_rate(optimizer: Any, stack: ExitStack) -> None:
    rate = getattr(optimizer, "_learning_rate", None)
    if isinstance(rate, keras.Variable):
        stack.callback(rate.assign, keras.ops.copy(rate.value))
