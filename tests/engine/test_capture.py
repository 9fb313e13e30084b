"""Whose `fit` is caught, and that nothing stays caught."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest

from jupyter_mltrain.engine.capture import captured

X = np.ones((4, 2), "float32")


class Own(keras.Sequential):
    def fit(self, *args, **options):
        return "own"


class Extends(keras.Sequential):
    def fit(self, *args, **options):
        return super().fit(*args, epochs=3, **options)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def catch(seen):
    def on_fit(original, model, arguments):
        seen.append(("keras", model.name, sorted(arguments), arguments.get("epochs")))
        return original(model, **{**arguments, "verbose": 0})

    def on_own_fit(call, model):
        seen.append(("own", model.name))
        return call()

    return captured(on_fit, on_own_fit)


def model_of(kind, name):
    model = kind([keras.Input((2,)), keras.layers.Dense(1)], name=name)
    model.compile("sgd", "mse")
    return model


def test_keras_own_and_extended_fits(catch, seen):
    with catch:
        model_of(keras.Sequential, "plain").fit(X, X[:, :1], epochs=2)
        assert model_of(Own, "own").fit() == "own"
        history = model_of(Extends, "extends").fit(X, X[:, :1])
    assert seen == [
        ("keras", "plain", ["epochs", "x", "y"], 2),
        ("own", "own"),
        ("own", "extends"),
        ("keras", "extends", ["epochs", "x", "y"], 3),
    ]
    assert len(history.history["loss"]) == 3


def test_a_class_defined_while_catching(catch, seen):
    with catch:

        class Later(keras.Model):
            def fit(self, *args):
                return "later"

        assert Later(name="later").fit() == "later"
    assert seen == [("own", "later")]
    assert Later(name="after").fit() == "later"
    assert len(seen) == 1


def test_another_threads_fit_is_left_alone(catch, seen):
    def train():
        model_of(keras.Sequential, "elsewhere").fit(X, X[:, :1], verbose=0)
        model_of(Own, "elsewhere").fit()

    with catch:
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
    assert seen == []


def test_a_fit_within_a_fit_is_kerass(catch, seen):
    inner = model_of(keras.Sequential, "inner")
    again = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: inner.fit(X, X[:, :1], verbose=0))
    with catch:
        model_of(keras.Sequential, "outer").fit(X, X[:, :1], callbacks=[again])
    assert [name for _, name, *_ in seen] == ["outer"]


def test_afterwards_all_is_as_it_was(catch):
    before = (Own.fit, Extends.fit, keras.Model.fit)
    with pytest.raises(ZeroDivisionError), catch:
        raise ZeroDivisionError
    assert (Own.fit, Extends.fit, keras.Model.fit) == before
    assert "fit" not in vars(keras.Model)
