"""Random numbers that come again in another session."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.engine import random_file
from jupyter_mltrain.engine.randomness import all_untouched


@pytest.fixture(autouse=True)
def untouched():
    with all_untouched():
        yield


def drawn():
    shuffled = tf.data.Dataset.range(100).shuffle(100).batch(100)
    return [
        random.random(),
        *np.random.rand(2),
        *tf.random.normal([2]).numpy(),
        *keras.random.normal([2]).numpy(),
        *next(iter(shuffled)).numpy(),
        keras.random.SeedGenerator().state.numpy()[0],
    ]


def test_all_generators_go_on_from_where_they_were(tmp_path):
    keras.utils.set_random_seed(3)
    random.random()
    random_file.keep(tmp_path)
    first = drawn()
    keras.utils.set_random_seed(4)
    assert drawn() != first
    random_file.restore(tmp_path / random_file.NAME)
    assert drawn() == first


def test_another_file_is_refused(tmp_path):
    for content in (b"", b"no archive"):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(OptionError, match=r"expected the random numbers of a run, received .*other: "):
            random_file.restore(tmp_path / "other")
    np.savez(tmp_path / "arrays.npz", np.ones(3))
    with pytest.raises(OptionError, match=r"received .*arrays\.npz: "):
        random_file.restore(tmp_path / "arrays.npz")
