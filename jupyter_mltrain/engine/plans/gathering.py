"""Batches of a tf.data pipeline put together to blocks, as what is compiled takes them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any

import tensorflow as tf

from jupyter_mltrain.engine.plans.feed import BYTES_OF_A_BLOCK, Block, Stream


def can_gather(spec: Any) -> bool:
    """Tell whether batches have fixed shapes, but for how many rows they have, and hold numbers alone."""
    parts = tf.nest.flatten(spec)
    return all(isinstance(part, tf.TensorSpec) and _is_fixed(part.shape) and part.dtype != tf.string for part in parts)


def _is_fixed(shape: Any) -> bool:
    return bool(shape.rank) and shape[1:].is_fully_defined()


class Gatherer:
    """Gives the batches of a pipeline in their order: those of one size in blocks, each other one as a block of its own.

    The next block is read while one is trained on, but never beyond the epoch.

    Attributes:
        shape: batches and rows of a batch in a full block; None until the first batch was read.
        seconds: that the pipeline needs for a batch, the best so far; 0 while unknown.
    """

    def __init__(self, num_batches: int) -> None:
        """Begin with none.

        Args:
            num_batches: of a block, where that is no more than 32 MB.
        """
        self.shape: tuple[int, int] | None = None
        self.seconds = 0.0
        self._size = num_batches
        self._usual: Any = None  # specs of a batch of the usual size: that of the first
        self._read = tf.function(self._over_batches, autograph=False, reduce_retracing=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mltrain-pipeline")
        self._stream: Stream | None = None
        self._blocks: deque[Block] = deque()
        self._coming: Future[list[Block]] | None = None
        self._num_done = 0

    def next(self, stream: Stream, left: int | None) -> tuple[Block, int] | None:
        """Return the block to train on, and how many of its batches are done; None at the pipeline's end.

        Args:
            stream: of an epoch; another one is read from where it stands.
            left: steps of the epoch; None where nobody knows.
        """
        if stream is not self._stream:
            self._stream, self._coming, self._num_done = stream, None, 0
            self._blocks.clear()
        if not self._blocks:
            coming = self._coming or self._thread.submit(self._blocks_of, stream, left)
            self._blocks.extend(coming.result())
            num_read = sum(block.num_steps for block in self._blocks)
            left = left and left - num_read
            self._coming = self._thread.submit(self._blocks_of, stream, left) if num_read and left != 0 else None
        return (self._blocks[0], self._num_done) if self._blocks else None

    def passed(self, num_steps: int) -> None:
        """Take note that so many batches of the block are done."""
        self._num_done += num_steps
        if self._num_done == self._blocks[0].num_steps:
            self._blocks.popleft()
            self._num_done = 0

    def _blocks_of(self, stream: Stream, left: int | None) -> list[Block]:
        first = [] if self._usual else self._first(stream)
        if not self._usual:
            return []
        started = perf_counter()
        most = (self._size if left is None else min(left, self._size)) - bool(first)
        parts, others, num_read, num_others = self._read(stream.iterator, tf.constant(most))
        num_read, num_others = int(num_read), int(num_others)
        if num_read > 1:
            took = (perf_counter() - started) / num_read
            self.seconds = min(self.seconds or took, took)
        if first:
            begun = [part[None] for part in first]
            parts = [tf.concat(pair, 0) for pair in zip(begun, parts, strict=True)] if num_read else begun
            num_read += 1
        full = self._packed([self._filled(part) for part in parts])
        blocks = [Block(full, num_read, stream.num_steps or num_read)] if num_read else []
        return blocks + ([Block(self._packed([part[None] for part in others]), 1, 1)] if num_others else [])

    def _first(self, stream: Stream) -> list[Any]:
        """Read the first batch, and take its measure."""
        batch = next(stream.iterator, None)
        if batch is None:
            return []
        self._usual = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), batch)
        parts = tf.nest.flatten(batch)
        batch_bytes = sum(part.dtype.size * part.shape.num_elements() for part in parts)
        self._size = max(1, min(self._size, BYTES_OF_A_BLOCK // max(1, batch_bytes)))
        self.shape = self._size, int(parts[0].shape[0])
        return parts

    def _packed(self, parts: list[Any]) -> Any:
        return tf.nest.pack_sequence_as(self._usual, parts)

    def _filled(self, part: Any) -> Any:
        missing = self._size - part.shape[0]
        return tf.pad(part, [(0, missing)] + [(0, 0)] * (part.shape.rank - 1)) if missing else part

    def _over_batches(self, iterator: Any, most: Any) -> Any:
        """Read until there are enough, one is of another size, or there are no more.

        Nothing here may have the usual size as a fixed shape: TensorFlow would conclude that every batch has it.
        """
        usual = tf.nest.flatten(self._usual)
        shapes = [tf.TensorShape([None, *part.shape[1:]]) for part in usual]
        arrays = [
            tf.TensorArray(part.dtype, most, element_shape=shape, infer_shape=False)
            for part, shape in zip(usual, shapes, strict=True)
        ]
        others = [tf.zeros((0, *part.shape[1:]), part.dtype) for part in usual]

        def one(number: Any, _goes_on: Any, arrays: Any, others: Any) -> Any:
            batch = iterator.get_next_as_optional()

            def read() -> Any:
                parts = tf.nest.flatten(batch.get_value())
                is_usual = tf.reduce_all([tf.shape(part)[0] == like.shape[0] for part, like in zip(parts, usual, strict=True)])

                def keep() -> Any:
                    kept = [array.write(number, part) for array, part in zip(arrays, parts, strict=True)]
                    return number + 1, number + 1 < most, kept, others

                return tf.cond(is_usual, keep, lambda: (number, False, arrays, parts))

            return tf.cond(batch.has_value(), read, lambda: (number, False, arrays, others))

        start = tf.constant(0), most > 0, arrays, others
        invariants = tf.TensorShape([]), tf.TensorShape([]), [tf.TensorShape(None)] * len(arrays), shapes
        number, _, arrays, others = tf.while_loop(lambda _number, goes_on, *_: goes_on, one, start, shape_invariants=invariants)
        gathered = tf.cond(
            number > 0, lambda: [array.gather(tf.range(number)) for array in arrays], lambda: [part[None] for part in others]
        )
        return gathered, others, number, tf.shape(others[0])[0]
