"""Predictions equal Keras's own, whatever goes in."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from jupyter_mltrain.engine.plans.predicting import Predictor

X = np.random.default_rng(0).normal(size=(2100, 6)).astype("float32")


@pytest.fixture(scope="module")
def model():
    return keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5)])


@pytest.mark.parametrize("num_rows", [1, 32, 1024, 1025, 2100])
def test_rows_in_any_number(model, num_rows):
    np.testing.assert_allclose(Predictor(model)(X[:num_rows]), model.predict(X[:num_rows], verbose=0), atol=1e-6)


def test_lists_tensors_and_float64(model):
    for x in (X.astype("float64"), tf.constant(X)):
        np.testing.assert_allclose(Predictor(model)(x), model.predict(x, verbose=0), atol=1e-6)


def test_a_dataset_goes_to_keras(model):
    dataset = tf.data.Dataset.from_tensor_slices(X[:70]).batch(32)
    np.testing.assert_allclose(Predictor(model)(dataset), model.predict(X[:70], verbose=0), atol=1e-6)


def test_dicts_of_inputs_and_several_outputs():
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    joined = layers.Concatenate()([left, right])
    model = keras.Model({"left": left, "right": right}, {"sum": layers.Dense(1)(joined), "all": layers.Dense(2)(joined)})
    x = {"left": X[:, :3], "right": X[:, 3:]}
    ours, theirs = Predictor(model)(x), model.predict(x, verbose=0)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6)


def test_weights_that_changed_and_a_predict_step_of_ones_own():
    class Doubled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def predict_step(self, data):
            return 2 * super().predict_step(data)

    model = Doubled()
    predictor = Predictor(model)
    predictor(X[:3])
    model.set_weights([np.ones((6, 1)), np.zeros(1)])
    np.testing.assert_allclose(predictor(X[:3])[:, 0], 2 * X[:3].sum(axis=1), atol=1e-5)
