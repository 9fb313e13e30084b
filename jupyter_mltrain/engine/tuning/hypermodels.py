"""Cells that define how a model is built from hyperparameters, in Keras Tuner's ways."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

import keras

from jupyter_mltrain.domain.errors import ModelError
from jupyter_mltrain.domain.spec import CellOutcome

_NAMES = ("build", "build_model")


def defined(outcome: CellOutcome) -> Any:
    """Return the `HyperModel` or the function of `hp` that a body came to; None where it came to none.

    The value of its last line counts first, then a `HyperModel` that it assigned or a class of it that it defined, then a
    function named `build` or `build_model`.
    """
    if _builds(outcome.value):
        return _made(outcome.value)
    candidates = list(outcome.assigned.values())
    for is_one in (_is_hypermodel, lambda value: _is_function(value) and value.__name__ in _NAMES):
        found = next(filter(is_one, candidates), None)
        if found is not None:
            return _made(found)
    return None


def built(hypermodel: Any, hp: Any) -> Any:
    """Return the model that it builds.

    Args:
        hypermodel: what `defined` found.
        hp: hyperparameters.

    Raises:
        ModelError: it builds no Keras model.
    """
    model = hypermodel(hp) if _is_function(hypermodel) else hypermodel.build(hp)
    if not isinstance(model, keras.Model):
        raise ModelError(f"expected build(hp) to return a Keras model, received {type(model).__name__}: end it with return model")
    return model


def defaults() -> Any:
    """Return hyperparameters that all have their defaults."""
    from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters  # Keras Tuner takes a second to import

    return HyperParameters()


def has_fit(hypermodel: Any) -> bool:
    """Tell whether it may have a `fit` of its own, as a `HyperModel` may."""
    return hypermodel is not None and not _is_function(hypermodel)


def _made(found: Any) -> Any:
    return found() if isinstance(found, type) else found


def _builds(value: Any) -> bool:
    return _is_hypermodel(value) or (_is_function(value) and list(inspect.signature(value).parameters)[:1] == ["hp"])


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType)


def _is_hypermodel(value: Any) -> bool:
    kind = value if isinstance(value, type) else type(value)
    return any(base.__module__.startswith("keras_tuner.") and base.__name__ == "HyperModel" for base in kind.__mro__[1:])
