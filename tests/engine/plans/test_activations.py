"""The activations of a step, against sums by hand."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from jupyter_mltrain.engine.plans.activations import activation_bytes

ROWS = 64


def counted(model, *shape, rows=ROWS):
    step = tf.function(model.train_step, autograph=False)
    batch = tf.TensorSpec((rows, *shape)), tf.TensorSpec((rows, 1))
    return activation_bytes(step.get_concrete_function(batch).graph)


def compiled(*stack, kind=keras.Sequential):
    model = kind(list(stack))
    model.compile("adam", "mse")
    return model


def test_what_each_dense_layer_keeps_and_the_largest_twice_more():
    model = compiled(keras.Input((10,)), layers.Dense(100, "relu"), layers.Dense(50, "tanh"), layers.Dense(1))
    by_hand = 4 * ROWS * (100 + 50 + 1) + 2 * 4 * ROWS * 100
    assert by_hand <= counted(model, 10) < by_hand + 100  # and a few single numbers of the loss


def test_they_grow_with_the_batch_and_not_with_the_parameters():
    model = compiled(keras.Input((1000,)), layers.Dense(3), layers.Dense(1))
    small, large = counted(model, 1000, rows=10), counted(model, 1000, rows=1000)
    assert 90 < large / small < 101
    assert large < 4 * 1000 * 3 * 4


def test_a_mask_of_dropout_is_of_single_bytes():
    without = counted(compiled(keras.Input((100,)), layers.Dense(1)), 100)
    with_dropout = counted(compiled(keras.Input((100,)), layers.Dropout(0.5), layers.Dense(1)), 100)
    assert ROWS * 100 * (1 + 4) <= with_dropout - without <= ROWS * 100 * (1 + 3 * 4) + 100


def test_what_a_recurrent_layer_keeps_of_every_time_step():
    units, steps = 16, 50
    kept = counted(compiled(keras.Input((steps, 3)), layers.LSTM(units), layers.Dense(1)), steps, 3)
    a_gate_of_all_steps = 4 * ROWS * units * steps
    assert 6 * a_gate_of_all_steps < kept < 11 * a_gate_of_all_steps  # four gates, two states and their activations
    twice = counted(compiled(keras.Input((2 * steps, 3)), layers.LSTM(units), layers.Dense(1)), 2 * steps, 3)
    assert 1.9 < twice / kept < 2.1


def test_a_train_step_that_is_a_function_of_tensorflow():
    class Traced(keras.Sequential):
        @tf.function
        def train_step(self, data):
            return super().train_step(data)

    stack = keras.Input((10,)), layers.Dense(100, "relu"), layers.Dense(1)
    assert counted(compiled(*stack, kind=Traced), 10) == counted(compiled(*stack), 10)


def test_half_precision_keeps_half():
    def stack(policy):
        return layers.Dense(400, "relu", dtype=policy), layers.Dense(400, "relu", dtype=policy), layers.Dense(1, dtype=policy)

    whole = counted(compiled(keras.Input((10,)), *stack("float32")), 10, rows=4000)
    half = counted(compiled(keras.Input((10,)), *stack("mixed_bfloat16")), 10, rows=4000)
    assert 0.45 < half / whole < 0.6
