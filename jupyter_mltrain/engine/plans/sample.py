"""Some batches of a tf.data pipeline, which stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from jupyter_mltrain.engine.plans.memory import SHARE_OF_TRIALS, free_memory, num_bytes


def sample(dataset: Any, num_batches: int, *, is_ending: Callable[[], bool]) -> Any:
    """Return a pipeline of the first batches of another one, the same each time, held in memory.

    Args:
        dataset: of batches; it is not begun, so one that shuffles goes on in the order that it would have had.
        num_batches: at most; fewer where they would need more than a quarter of the free memory.
        is_ending: asked before each batch whether to give up.
    """
    copy = _copied(dataset)
    num_fitting = int(SHARE_OF_TRIALS * free_memory() / max(1, num_bytes(next(iter(copy), None))))
    held = copy.take(max(1, min(num_batches, num_fitting))).cache()
    for _ in held:
        if is_ending():
            break
    return held


def _copied(dataset: Any) -> Any:
    """Return the same pipeline with random numbers of its own: a shuffle's are a resource, which copies share by its name."""
    policy = tf.data.experimental.ExternalStatePolicy.IGNORE.value
    variant = tf.data.experimental.to_variant(dataset)
    serialized = tf.raw_ops.DatasetToGraphV2(input_dataset=variant, external_state_policy=policy)
    graph = tf.compat.v1.GraphDef.FromString(serialized.numpy())
    for node in graph.node:
        for handle in node.attr["value"].tensor.resource_handle_val if "value" in node.attr else ():
            if "SeedGenerator" in handle.name:
                handle.name += "_of_a_copy"
    return tf.data.experimental.from_variant(
        tf.raw_ops.DatasetFromGraph(graph_def=graph.SerializeToString()), dataset.element_spec
    )
