"""Catching the `fit` calls of a body, so that the user's code stays as it is."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

Fit = Callable[..., Any]
OnFit = Callable[[Fit, Any, dict[str, Any]], Any]
OnOwnFit = Callable[[Callable[[], Any], Any], Any]


@contextmanager
def captured(on_fit: OnFit, on_own_fit: OnOwnFit) -> Iterator[None]:
    """While entered, let every `fit` of a Keras model in this thread be done by `on_fit`.

    Args:
        on_fit: called with Keras's own `fit`, the model and the arguments by name; what it returns, `fit` returns. A `fit`
            that it calls itself, or that a callback calls, is Keras's own.
        on_own_fit: called where a class overrides `fit`, with the call to make and the model; if the override calls
            Keras's, `on_fit` is called in it.
    """
    with ExitStack() as stack:
        _capture_keras(on_fit, stack)
        for model_class in _subclasses(keras.Model):
            if "fit" in vars(model_class) and not model_class.__module__.startswith("keras."):
                _capture_override(model_class, on_own_fit, stack)

        def init_subclass(model_class: type, /, **options: Any) -> None:
            super(keras.Model, model_class).__init_subclass__(**options)
            if "fit" in vars(model_class):
                _capture_override(model_class, on_own_fit, stack)

        keras.Model.__init_subclass__ = classmethod(init_subclass)
        stack.callback(delattr, keras.Model, "__init_subclass__")
        yield


def _capture_keras(on_fit: OnFit, stack: ExitStack) -> None:
    original = keras.Model.fit
    parameters = inspect.signature(original)
    thread = threading.get_ident()
    inside = False

    @functools.wraps(original)
    def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        if inside or threading.get_ident() != thread:
            return original(model, *args, **kwargs)
        try:
            arguments = parameters.bind(model, *args, **kwargs).arguments
        except TypeError:
            return original(model, *args, **kwargs)  # Python says better what is wrong with the call
        inside = True
        try:
            return on_fit(original, model, {name: value for name, value in arguments.items() if name != "self"})
        finally:
            inside = False

    keras.Model.fit = fit
    stack.callback(delattr, keras.Model, "fit")  # what Keras's base class defines shows again


def _capture_override(model_class: Any, on_own_fit: OnOwnFit, stack: ExitStack) -> None:
    original = model_class.fit
    thread = threading.get_ident()

    @functools.wraps(original)
    def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread:
            return original(model, *args, **kwargs)
        return on_own_fit(functools.partial(original, model, *args, **kwargs), model)

    model_class.fit = fit
    stack.callback(setattr, model_class, "fit", original)


def _subclasses(base: Any) -> Iterator[type]:
    each: type
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)
