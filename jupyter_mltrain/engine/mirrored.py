"""What Keras 3.15 needs to train a model on several replicas."""

from __future__ import annotations

import types
from typing import Any


def prepare(model: Any, strategy: Any) -> None:
    """Let an unbuilt model be built from what the data are, instead of from a first batch.

    Keras draws a batch and takes the mean over the replicas: that fails where the batch cannot be divided evenly or holds
    text, and loses batches of a Python generator. The shapes alone are enough.
    """

    def build(self: Any, iterator: Any = None, data_batch: Any = None) -> None:
        if iterator is not None:
            data_batch = _symbolic_batch(iterator._distributed_dataset.element_spec)  # noqa: SLF001
        with strategy.scope():
            self._symbolic_build(data_batch=data_batch)

    model._maybe_symbolic_build = types.MethodType(build, model)  # noqa: SLF001 - there is no public way


def _symbolic_batch(spec: Any) -> Any:
    import keras
    import tensorflow as tf

    def tensor(part: Any) -> Any:
        local = getattr(part, "_value_specs", (part,))[0]  # of several replicas, the first
        return keras.KerasTensor(tuple(local.shape), dtype=local.dtype.name)

    return tf.nest.map_structure(tensor, spec)
