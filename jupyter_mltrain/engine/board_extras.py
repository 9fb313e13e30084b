"""What TensorBoard shows besides the curves, where it is asked for: histograms of the weights, the graph, confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.spec import TrainSpec
from jupyter_mltrain.engine import confusion
from jupyter_mltrain.engine.event_files import EventFiles
from jupyter_mltrain.engine.plans.selection import are_arrays


class BoardExtras(keras.callbacks.Callback):
    """Writes them into the event files of a run, at the ends of epochs; it changes nothing of the training.

    Args:
        spec: says which.
        event_files: of the run.
        merged: arguments of the `fit`.
        num_before: epochs of the run before it.

    Raises:
        OptionError: there are no validation data for a confusion matrix, or the inputs are not known for the graph.
    """

    def __init__(self, spec: TrainSpec, event_files: EventFiles, merged: Mapping[str, Any], num_before: int) -> None:
        super().__init__()
        self._spec, self._event_files, self._step = spec, event_files, num_before
        self._validation = confusion.validation_of(merged) if spec.confusion else None
        self._inputs = _inputs_of(merged["x"]) if spec.graph else None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        step, self._step = self._step, self._step + 1
        with self._event_files.writing(step):
            if self._inputs is not None:  # only now is every model built
                tf.summary.graph(_graph(self.model, self._inputs))
                self._inputs = None
            if self._spec.histograms and step % self._spec.histograms == 0:
                for weight in self.model.weights:
                    tf.summary.histogram(weight.path, weight.value)
            if self._spec.confusion:
                matrix = confusion.confusion_matrix(self.model, self._validation)
                tf.summary.image("confusion_matrix", tf.image.decode_png(confusion.picture(matrix))[None])


def _inputs_of(x: Any) -> Any:
    """Return the specification of a batch of what a `fit` takes as `x`."""
    if hasattr(x, "element_spec"):
        return x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
    if not are_arrays(x):
        raise OptionError(f"expected arrays or tf.data for --graph, received {type(x).__name__}: leave it out")
    return keras.tree.map_structure(lambda part: tf.TensorSpec((None, *part.shape[1:]), part.dtype), x)


def _graph(model: Any, inputs: Any) -> Any:
    """Return the operations of the model's forward pass."""
    forward = tf.function(lambda batch: model(batch, training=False), autograph=False)
    return forward.get_concrete_function(inputs).graph
