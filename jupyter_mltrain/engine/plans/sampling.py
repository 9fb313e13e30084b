"""The data of a `fit` to try things with: what may be looked at without being used up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.plans import copying, fitting
from jupyter_mltrain.engine.plans.feed import BYTES_OF_A_BLOCK, Feed, Pipeline, tensors
from jupyter_mltrain.engine.plans.memory import num_bytes
from jupyter_mltrain.engine.plans.selection import Selection, are_arrays, is_dataset

_PLACE = fitting.Place(seed=0, phase=1, num_before=0)
_BLOCKS_AT_ONCE = 2  # one is trained on, the next is gathered


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What there is of the data.

    Attributes:
        arguments: of `fit`, with a copy in place of a pipeline to train on.
        feed: of the training; None where its batches can be had only once.
        batch: type specifications of a full one; None where its shape is not known.
        num_steps: of an epoch; None where that is not known.
        num_bytes: that a training takes for them.
        obstacle: why no step can be tried, as part of a sentence.
    """

    arguments: dict[str, Any]
    feed: Feed | None = None
    batch: Any = None
    num_steps: int | None = None
    num_bytes: int = 0
    obstacle: str = ""

    @property
    def batch_size(self) -> int | None:
        """Rows of a full batch, if known."""
        shapes = [spec.shape for spec in tf.nest.flatten(self.batch) if getattr(spec, "shape", None) is not None]
        return next((shape[0] for shape in shapes if shape.rank), None)


def sampled(arguments: dict[str, Any], selection: Selection) -> Sample:
    """Look at the data of a `fit`.

    Args:
        arguments: of the `fit`.
        selection: what it will be done with.
    """
    x = arguments["x"]
    if is_dataset(x):
        return _of_pipeline(arguments)
    if are_arrays(x, arguments.get("y"), arguments.get("sample_weight")):
        return _of_arrays(arguments, selection)
    if isinstance(x, keras.utils.PyDataset):
        num_steps = arguments.get("steps_per_epoch") or x.num_batches
        return Sample(arguments=arguments, batch=_specs(tensors(x[0])), num_steps=num_steps, obstacle=_once(x))
    return Sample(arguments=arguments, num_steps=arguments.get("steps_per_epoch"), obstacle=_once(x))


def _of_arrays(arguments: dict[str, Any], selection: Selection) -> Sample:
    is_kept_by_keras = selection.plan is Plan.KERAS
    parts, _ = fitting.split(arguments)
    feed = fitting.feed_of(parts, arguments, _PLACE, held=selection.is_held and not is_kept_by_keras)
    num_rows = keras.tree.flatten(parts)[0].shape[0]
    batch_size = min(arguments.get("batch_size") or 32, num_rows)
    batch = keras.tree.map_structure(lambda spec: tf.TensorSpec((batch_size, *spec.shape[1:]), spec.dtype), feed.spec)
    held = num_bytes(fitting.data_parts(arguments)) if selection.is_held else 0
    blocks = _BLOCKS_AT_ONCE * min(BYTES_OF_A_BLOCK, num_bytes(parts))
    return Sample(
        arguments=arguments,
        feed=feed,
        batch=batch,
        num_steps=arguments.get("steps_per_epoch") or feed.num_steps,
        num_bytes=held + (0 if is_kept_by_keras else blocks),
    )


def _of_pipeline(arguments: dict[str, Any]) -> Sample:
    x, steps_per_epoch = arguments["x"], arguments.get("steps_per_epoch")
    copy = copying.copied(x)
    feed = Pipeline(x if copy is None else copy, arguments.get("class_weight"), steps_per_epoch=steps_per_epoch, goes_on=False)
    if copy is None:
        return Sample(arguments=arguments, num_steps=feed.num_steps, obstacle="the pipeline holds too much to be copied for that")
    first = next(next(feed.epoch(0)).iterator, None)
    return Sample(
        arguments={**arguments, "x": copy},
        feed=feed,
        batch=None if first is None else _specs(first),
        num_steps=feed.num_steps,
        obstacle="the pipeline is empty" if first is None else "",
    )


def _specs(batch: Any) -> Any:
    return tf.nest.map_structure(tf.type_spec_from_value, keras.tree.lists_to_tuples(batch))


def _once(x: Any) -> str:
    return f"{type(x).__name__} gives its batches in an order of its own, and trying would move it on"
