"""The lowered forms give TensorFlow's own values and gradients, and random numbers of the same distribution."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from jupyter_mltrain.engine.plans.lowering import lowered, pays_for

IMAGES = np.random.default_rng(0).normal(size=(3, 9, 8, 2)).astype("float32")
ROWS = np.random.default_rng(1).normal(size=(3, 11, 2)).astype("float32")


def values_and_gradients(layer, x):
    @tf.function
    def call(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * tf.sin(tf.cast(tf.reshape(tf.range(tf.size(y)), tf.shape(y)), tf.float32)))
        return y, tape.gradient(loss, [x, *layer.trainable_weights])

    return call(tf.constant(x)), call.get_concrete_function(tf.TensorSpec(x.shape)).graph


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (keras.layers.Conv2D(4, 3), IMAGES),
        (keras.layers.Conv2D(4, (2, 3), strides=(2, 1), padding="same"), IMAGES),
        (keras.layers.Conv2D(4, 4, strides=3, padding="same", use_bias=False), IMAGES),
        (keras.layers.Conv1D(4, 3, strides=2, padding="same"), ROWS),
        (keras.layers.MaxPooling2D(), IMAGES),
        (keras.layers.MaxPooling2D((3, 2)), IMAGES),
        (keras.layers.MaxPooling1D(4), ROWS),
    ],
    ids=lambda value: f"{value.name}" if isinstance(value, keras.Layer) else "",
)
def test_values_and_gradients_are_tensorflows_own(layer, x):
    layer.build(x.shape)
    (y, gradients), graph = values_and_gradients(layer, x)
    assert pays_for(graph) or x is ROWS
    with lowered():
        (lowered_y, lowered_gradients), lowered_graph = values_and_gradients(layer, x)
    assert not pays_for(lowered_graph)
    np.testing.assert_allclose(lowered_y, y, atol=1e-5)
    for ours, theirs in zip(lowered_gradients, gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, dilation_rate=2),
        keras.layers.Conv2D(4, 3, groups=2),
        keras.layers.MaxPooling2D(3, strides=2),
        keras.layers.MaxPooling2D(2, padding="same"),
    ],
    ids=lambda layer: layer.name,
)
def test_what_has_no_lowered_form_stays(layer):
    layer.build(IMAGES.shape)
    (y, _), _ = values_and_gradients(layer, IMAGES)
    with lowered():
        (same, _), _ = values_and_gradients(layer, IMAGES)
    np.testing.assert_array_equal(same, y)


def test_the_gradient_of_equal_maxima_goes_to_the_first_as_in_tensorflow():
    layer, x = keras.layers.MaxPooling2D(), np.ones((1, 4, 4, 1), "float32")
    (_, gradients), _ = values_and_gradients(layer, x)
    with lowered():
        (_, lowered_gradients), _ = values_and_gradients(layer, x)
    np.testing.assert_allclose(lowered_gradients[0], gradients[0])


class TestRandomNumbers:
    @pytest.mark.parametrize("rate", [0.2, 0.5])
    def test_dropout_drops_its_share_and_keeps_the_mean(self, rate):
        kept = drawn(keras.layers.Dropout(rate, seed=3), np.ones((500, 200), "float32"))
        assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / (1 - rate))}
        assert np.mean(kept == 0) == pytest.approx(rate, abs=0.01)  # six standard errors
        for axis in (0, 1):  # no row and no column is dropped more than another
            shares = np.mean(kept == 0, axis=axis)
            assert np.std(shares) == pytest.approx(np.sqrt(rate * (1 - rate) / kept.shape[axis]), rel=0.2)

    def test_noise_is_normal(self):
        noise = drawn(keras.layers.GaussianNoise(0.5, seed=3), np.zeros((500, 200), "float32"))
        assert (noise.mean(), noise.std()) == (pytest.approx(0, abs=0.01), pytest.approx(0.5, abs=0.01))

    def test_every_step_draws_others(self):
        layer = keras.layers.Dropout(0.5, seed=3)
        x = np.ones((50, 40), "float32")
        first, second = drawn(layer, x), drawn(layer, x)
        assert np.mean(first == second) == pytest.approx(0.5, abs=0.1)


def drawn(layer, x):
    """Call a layer as XLA does it."""
    layer.build(x.shape)
    with lowered():
        call = tf.function(lambda x: layer(x, training=True), jit_compile=True).get_concrete_function(tf.TensorSpec(x.shape))
    return call(tf.constant(x)).numpy()


def test_a_step_with_dropout_is_lowered():
    layer = keras.layers.Dropout(0.5)
    layer.build((8, 4))
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(tf.TensorSpec((8, 4))).graph
    assert pays_for(graph)


def test_what_other_threads_do_meanwhile_stays_as_it_is():
    """A model may be built, and its weights drawn, while one that trains is traced for XLA."""
    entered, done = threading.Event(), threading.Event()

    def trace():
        with lowered():
            entered.set()
            done.wait()

    before = tf.random.stateless_uniform((4,), (1, 2)).numpy().tolist()
    thread = threading.Thread(target=trace)
    thread.start()
    entered.wait()
    drawn = tf.random.stateless_uniform((4,), (1, 2)).numpy().tolist()
    done.set()
    thread.join()
    assert drawn == before
