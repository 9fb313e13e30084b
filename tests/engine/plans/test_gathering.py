"""Batches of a pipeline in blocks: which, in which order, and how far ahead they are read."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from jupyter_mltrain.engine.plans.feed import Stream
from jupyter_mltrain.engine.plans.gathering import Gatherer, can_gather

X = np.arange(46, dtype="float32").reshape(23, 2)
ROWS = tf.data.Dataset.from_tensor_slices(({"x": X}, np.arange(23)))


def batches(gatherer, dataset, steps=None, *, at_once=2):
    """Return the row numbers of all batches, and the shapes of the blocks that they came in."""
    stream, rows, shapes = Stream(iter(dataset), steps), [], []
    while (steps is None or len(rows) < steps) and (taken := gatherer.next(stream, steps and steps - len(rows))):
        block, num_done = taken
        num_steps = min(at_once, block.num_steps - num_done)
        for x, numbers in zip(block.data[0]["x"][num_done:][:num_steps], block.data[1][num_done:], strict=False):
            np.testing.assert_array_equal(x, X[numbers.numpy()])
            rows.append(numbers.numpy().tolist())
        shapes.append(block.shape)
        gatherer.passed(num_steps)
    return rows, shapes


@pytest.mark.parametrize("steps", [None, 1, 5, 8])
@pytest.mark.parametrize(
    "dataset",
    [ROWS.batch(4), ROWS.batch(4, drop_remainder=True), ROWS.batch(4).repeat(2), ROWS.take(3).batch(4)],
    ids=["a ragged last one", "all alike", "a ragged one in the middle", "a single one"],
)
def test_all_batches_in_their_order(dataset, steps):
    expected = [numbers.tolist() for _, numbers in dataset.take(steps or -1).as_numpy_iterator()]
    gatherer = Gatherer(3)
    for _ in range(2):
        rows, shapes = batches(gatherer, dataset, steps and min(steps, len(expected)))
        assert rows == expected
        assert set(shapes) <= {gatherer.shape, (1, 3)}


def test_no_batch_beyond_the_epoch_is_read():
    read = []

    def numbers():
        for number in range(100):
            read.append(number)
            yield np.full(4, number)

    dataset = tf.data.Dataset.from_generator(numbers, output_signature=tf.TensorSpec((4,), tf.int64))
    alone = tf.data.Options()
    alone.experimental_optimization.inject_prefetch = False  # tf.data would read ahead itself
    gatherer, iterator = Gatherer(3), iter(dataset.with_options(alone))
    for epoch in range(1, 3):
        stream = Stream(iterator, 7)
        for step in range(7):
            block, num_done = gatherer.next(stream, 7 - step)
            assert block.data[num_done, 0] == 7 * (epoch - 1) + step
            gatherer.passed(1)
        assert gatherer.next(stream, 0) is None
        assert read == list(range(7 * epoch))


def test_which_pipelines_have_blocks():
    text = tf.data.Dataset.from_tensor_slices(["a", "b"])
    of_any_length = tf.data.Dataset.from_generator(lambda: iter(()), output_signature=tf.TensorSpec((None, None), tf.float32))
    ragged = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1], [2, 3]]))
    assert can_gather(ROWS.batch(4).element_spec)
    for dataset in (text.batch(2), of_any_length, ragged.batch(2), ROWS.map(lambda x, number: number)):
        assert not can_gather(dataset.element_spec)
