"""No damage of a model's file goes unseen."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest

from jupyter_mltrain.domain.errors import ModelFileError
from jupyter_mltrain.engine import sealing
from jupyter_mltrain.engine.loading import load
from jupyter_mltrain.engine.saving import save


def test_every_one_of_500_flipped_bits_is_found_before_loading(tmp_path, faults):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    path = save(model, tmp_path / "best.keras")
    np.testing.assert_array_equal(load(path, {}).get_weights()[0], model.get_weights()[0])
    whole, seed = path.read_bytes(), random.SystemRandom().randrange(2**32)
    sealed = [
        *range(8 * (len(whole) - sealing._BYTES_OF_SEAL)),
        *range(8 * (len(whole) - 64), 8 * len(whole)),
    ]  # all but the mark
    for bit in random.Random(seed).choices(sealed, k=500):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"received one that cannot be read \(best\.keras was changed or is damaged\)"):
            load(path, {})
    faults.report(f"500 flipped bits in the file of a model, all found before loading, seed {seed}")
    for length in (0, 1, 20, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            load(path, {})


def test_a_model_that_something_else_saved_is_loaded(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "own.keras")
    assert load(tmp_path / "own.keras", {}).count_params() == 15
