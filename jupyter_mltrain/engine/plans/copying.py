"""A copy of a tf.data pipeline to try things with: reading it leaves the pipeline, and the order that it will give, alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from jupyter_mltrain.engine.plans.memory import SHARE_OF_TRIALS, free_memory, num_bytes

_MOST_BYTES = 256 * 2**20
_PLACE_OF_GENERATOR = {"RandomDatasetV2": 2, "ShuffleAndRepeatDatasetV2": 5, "ShuffleDatasetV3": 4}  # among the inputs


def copied(dataset: Any) -> Any:
    """Return a dataset that gives what this one would give next, with random generators and variables of its own.

    What it holds in memory is copied with it, so that it is None for one that holds more than 256 MB, and for one that
    TensorFlow cannot write down as a graph. Python code that it calls (`from_generator`, `py_function`) is the same.

    Args:
        dataset: a `tf.data.Dataset`.
    """
    if sum(_bytes_held(each) for each in _with_sources(dataset)) > _MOST_BYTES:
        return None
    policy = tf.data.experimental.ExternalStatePolicy.IGNORE.value
    try:
        written = tf.raw_ops.DatasetToGraphV2(
            input_dataset=tf.data.experimental.to_variant(dataset), external_state_policy=policy
        )
    except tf.errors.OpError:
        return None
    graph = tf.compat.v1.GraphDef.FromString(written.numpy())
    for node in [node for node in graph.node if node.op in _PLACE_OF_GENERATOR]:
        # As it is written, it shares the generator of the original, which moves on with every pass over either of them.
        own = graph.node.add(name=f"{node.name}/own", op="DummySeedGenerator")
        node.input[_PLACE_OF_GENERATOR[node.op]] = own.name
    copy = tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString())
    return tf.data.experimental.from_variant(copy, dataset.element_spec)


def first_batches(dataset: Any, num_batches: int, *, is_ending: Callable[[], bool]) -> Any:
    """Return a pipeline of the first batches of another one, the same each time, held in memory; None where it has no copy.

    Args:
        dataset: of batches; it is not begun, so one that shuffles goes on in the order that it would have had.
        num_batches: at most; fewer where they would need more than a quarter of the free memory.
        is_ending: asked before each batch whether to give up.
    """
    copy = copied(dataset)
    if copy is None:
        return None
    num_fitting = int(SHARE_OF_TRIALS * free_memory() / max(1, num_bytes(next(iter(copy), None))))
    held = copy.take(max(1, min(num_batches, num_fitting))).cache()
    for _ in held:
        if is_ending():
            break
    return held


def _with_sources(dataset: Any) -> Iterator[Any]:
    yield dataset
    for source in dataset._inputs():  # noqa: SLF001 - there is no public way
        yield from _with_sources(source)


def _bytes_held(dataset: Any) -> int:
    tensors = tf.nest.flatten(getattr(dataset, "_tensors", ()))
    return sum(tensor.shape.num_elements() * tensor.dtype.size for tensor in tensors if tf.is_tensor(tensor))
