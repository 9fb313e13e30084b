"""Cells that define how a model is built from hyperparameters, in Keras Tuner's ways."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

import keras

from jupyter_mltrain.domain.errors import ModelError
from jupyter_mltrain.domain.spec import CellOutcome

_NAMES = ("build", "build_model")


def defined(outcome: CellOutcome) -> Any:
    """Return the `HyperModel`, its class, or the function of `hp` that a body came to; None where it came to none.

    The value of its last line counts first, then a `HyperModel` that it assigned or a class of it that it defined, then a
    function named `build` or `build_model`.
    """
    if _builds(outcome.value):
        return outcome.value
    candidates = list(outcome.assigned.values())
    for is_one in (_is_hypermodel, lambda value: _is_function(value) and value.__name__ in _NAMES):
        found = next(filter(is_one, candidates), None)
        if found is not None:
            return found
    return None


def fit(hypermodel: Any, hp: Any, data_of: Callable[[Any], dict[str, Any]]) -> None:
    """Build the model and call `fit` on the line's data.

    Args:
        hypermodel: what `defined` found.
        hp: hyperparameters; None for the defaults.
        data_of: returns the arguments of `fit` for a model.

    Raises:
        ModelError: it builds no Keras model.
    """
    if hp is None:
        from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters

        hp = HyperParameters()
    if isinstance(hypermodel, type):
        hypermodel = hypermodel()
    model = hypermodel(hp) if _is_function(hypermodel) else hypermodel.build(hp)
    if not isinstance(model, keras.Model):
        raise ModelError(f"expected build(hp) to return a Keras model, received {type(model).__name__}: end it with return model")
    data = data_of(model)
    if _is_function(hypermodel):
        model.fit()
    else:
        hypermodel.fit(hp, model, **data)


def _builds(value: Any) -> bool:
    return _is_hypermodel(value) or (_is_function(value) and list(inspect.signature(value).parameters)[:1] == ["hp"])


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType)


def _is_hypermodel(value: Any) -> bool:
    kind = value if isinstance(value, type) else type(value)
    return any(base.__module__.startswith("keras_tuner.") and base.__name__ == "HyperModel" for base in kind.__mro__[1:])
