"""Predictions without Keras's loop: one compiled call for a row, a few for many."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jupyter_mltrain.engine.plans.feed import tensors
from jupyter_mltrain.engine.plans.selection import are_arrays

_FEWEST_ROWS, _MOST_ROWS, _BYTES_OF_A_CALL = 32, 1024, 8 * 2**20


class Predictor:
    """Predicts with a model as it is at the time of the call."""

    def __init__(self, model: Any) -> None:
        """Take the model; nothing is traced before the first call."""
        self._model = model
        self._traced: dict[Any, Any] = {}

    def __call__(self, x: Any) -> Any:
        """Return what `keras.Model.predict` returns: NumPy arrays, rows first.

        Args:
            x: arrays in the structure of the model's inputs, rows first; anything else that Keras's `predict` takes goes there.
        """
        model = self._model
        is_keras_own = type(model).predict is keras.Model.predict
        if model.run_eagerly or not is_keras_own or tf.distribute.has_strategy() or not are_arrays(x):
            return model.predict(x, verbose=0)
        held = tensors(x)
        parts = keras.tree.flatten(held)
        num_rows = int(parts[0].shape[0])
        row_bytes = sum(part.dtype.size * part.shape[1:].num_elements() for part in parts)
        size = max(_FEWEST_ROWS, min(_MOST_ROWS, _BYTES_OF_A_CALL // max(1, row_bytes)))
        predict = self._function(held)
        outputs = [predict(_rows(held, start, size)) for start in range(0, num_rows, size)]
        return keras.tree.map_structure(lambda *each: np.concatenate([part.numpy() for part in each]), *outputs)

    def _function(self, held: Any) -> Any:
        spec = keras.tree.map_structure(lambda part: tf.TensorSpec((None, *part.shape[1:]), part.dtype), held)
        key = str(spec)
        if key not in self._traced:
            step = tf.function(lambda batch: self._model.predict_step((batch,)), autograph=False)
            self._traced[key] = step.get_concrete_function(spec)
        return self._traced[key]


def _rows(held: Any, start: int, size: int) -> Any:
    return keras.tree.map_structure(lambda part: part[start : start + size], held)
