"""Catching the `fit` calls of a body, so that the user's code stays as it is."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

Fit = Callable[..., Any]
OnFit = Callable[[Fit, Any, dict[str, Any]], Any]


@contextmanager
def captured(on_fit: OnFit) -> Iterator[None]:
    """While entered, let every `fit` of a Keras model in this thread be done by `on_fit`.

    Args:
        on_fit: called with Keras's own `fit`, the model and the arguments by name; what it returns, `fit` returns. A `fit`
            that it calls itself, or that a callback calls, is Keras's own.
    """
    original = keras.Model.fit
    parameters = inspect.signature(original)
    thread = threading.get_ident()
    inside = False

    @functools.wraps(original)
    def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        if inside or threading.get_ident() != thread:
            return original(model, *args, **kwargs)
        arguments = parameters.bind(model, *args, **kwargs).arguments
        inside = True
        try:
            return on_fit(original, model, {name: value for name, value in arguments.items() if name != "self"})
        finally:
            inside = False

    keras.Model.fit = fit
    try:
        yield
    finally:
        del keras.Model.fit  # what Keras's base class defines shows again
