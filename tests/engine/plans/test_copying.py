"""Copies of pipelines give what the pipelines would, and leave them alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from jupyter_mltrain.engine.plans import copying
from jupyter_mltrain.engine.plans.copying import copied

SHUFFLED = {
    "shuffled": lambda: tf.data.Dataset.range(50).shuffle(50).batch(7),
    "repeated and read ahead": lambda: tf.data.Dataset.range(50).shuffle(50).repeat(2).batch(7).prefetch(2),
    "one after the other": lambda: tf.data.Dataset.sample_from_datasets(
        [tf.data.Dataset.range(20).shuffle(20), tf.data.Dataset.range(30, 50)]
    ),
    "random numbers": lambda: tf.data.Dataset.random(rerandomize_each_iteration=True).take(5),
}


def passes(dataset, number):
    return [[np.asarray(part).tolist() for part in dataset] for _ in range(number)]


@pytest.mark.parametrize("make", SHUFFLED.values(), ids=SHUFFLED)
def test_a_copy_gives_what_the_original_would_and_does_not_move_it_on(make):
    tf.random.set_seed(3)
    expected = passes(make(), 3)
    assert expected[0] != expected[1]
    tf.random.set_seed(3)
    dataset = make()
    assert passes(copied(dataset), 2) == expected[:2]
    assert passes(dataset, 3) == expected


def test_variables_of_the_pipelines_functions_are_copied():
    count = tf.Variable(0)
    dataset = tf.data.Dataset.range(4).map(lambda number: count.assign_add(1))
    assert passes(copied(dataset), 1) == [[1, 2, 3, 4]]
    assert int(count) == 0


def test_what_is_too_large_to_copy(monkeypatch):
    monkeypatch.setattr(copying, "_MOST_BYTES", 1000)
    assert copied(tf.data.Dataset.from_tensor_slices(np.zeros(125)).batch(5)) is not None
    assert copied(tf.data.Dataset.from_tensor_slices(np.zeros(126)).batch(5)) is None
