"""The hash of a model's weights."""

from __future__ import annotations

import keras
import pytest

from jupyter_mltrain.engine.fingerprint import weights_checksum


def model(dtype="float32", name=None):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Normalization(), keras.layers.Dense(2, dtype=dtype, name=name)]
    return keras.Sequential([keras.Input((3,)), *layers])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_is_of_the_values_alone(dtype):
    first, second = model(dtype), model(dtype, name="other")
    assert weights_checksum(first) == weights_checksum(second)
    kernel = second.layers[-1].kernel
    kernel.assign(keras.ops.add(kernel, 1))
    assert weights_checksum(first) != weights_checksum(second)
    assert weights_checksum(first).startswith("xxh3:")


def test_it_tells_types_apart():
    assert weights_checksum(model("float32")) != weights_checksum(model("bfloat16"))
