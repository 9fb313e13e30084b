"""Where the steps of a plan get their data from: arrays, gathered in blocks of batches, or a tf.data pipeline."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, cycle, islice
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from keras import tree
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.data_adapters.array_slicing import convert_to_sliceable
from keras.src.trainers.data_adapters.tf_dataset_adapter import TFDatasetAdapter

BYTES_OF_A_BLOCK = 32 * 2**20
_BYTES_WORTH_A_THREAD = 2**20


@dataclass(frozen=True, slots=True)
class Block:
    """Several batches of one size, gathered: every tensor of `data` has shape (batches, batch size, …).

    `num_steps` batches of it are to be trained on; those after them only fill it up to the shape that was compiled.
    `steps_an_epoch` is how many steps an epoch has in blocks of this shape.
    """

    data: Any
    num_steps: int
    steps_an_epoch: int

    @property
    def shape(self) -> tuple[int, int]:
        """Batches and batch size."""
        shape = tree.flatten(self.data)[0].shape
        return int(shape[0]), int(shape[1])


@dataclass(slots=True, eq=False)
class Stream:
    """An iterator of batches; `num_steps` is how many are left at most, None where that is unknown."""

    iterator: Any
    num_steps: int | None


class Feed(Protocol):
    """Gives each epoch its batches, in blocks or as a stream."""

    num_steps: int | None  # of an epoch; None while unknown
    spec: Any  # of one batch

    def epoch(self, number: int) -> Iterator[Block | Stream]:
        """Yield what to train on in an epoch, numbered from 0."""
        ...


Order = Callable[[int], Any]  # epoch's number to row numbers


class Arrays:
    """Arrays held in memory or on disk, in the order that is given; the next block is gathered while one is trained on."""

    def __init__(
        self, parts: tuple[Any, Any, Any], class_weight: Any = None, *, batch_size: int, order: Order | None, held: bool
    ) -> None:
        """Take what Keras's `fit` takes.

        Args:
            parts: x, y and sample weights as `fit` has them.
            class_weight: class number to weight.
            batch_size: rows a step.
            order: of an epoch's rows; None for the order that they have.
            held: whether to keep all rows as tensors on the device, or to gather each block from where it is.
        """
        x, y, sample_weight = parts
        adapter = ArrayDataAdapter(x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=batch_size)
        inputs = adapter._inputs  # noqa: SLF001 - weights of classes are weights of rows in it, as Keras's fit has them
        self._arrays = tree.lists_to_tuples(tensors(inputs) if held else tree.map_structure(np.asarray, inputs))
        self._num_rows = int(tree.flatten(self._arrays)[0].shape[0])
        self._batch_size = min(batch_size, self._num_rows)
        self._order, self._held, self._is_small = order, held, False
        self.num_steps: int | None = -(-self._num_rows // self._batch_size)
        num_full = self._num_rows // self._batch_size
        tail = self._num_rows % self._batch_size
        first = self._gathered(np.arange(1), 1)
        self.spec = tree.map_structure(
            lambda part: tf.TensorSpec((None if tail else self._batch_size, *part.shape[2:]), part.dtype), first
        )
        row_bytes = sum(part.dtype.size * int(np.prod(part.shape[2:])) for part in tree.flatten(first))
        self._steps_of_a_block = max(1, min(num_full, BYTES_OF_A_BLOCK // max(1, row_bytes * self._batch_size)))
        self._num_parts = -(-num_full // self._steps_of_a_block) + bool(tail)
        self._is_small = row_bytes * self._num_rows < _BYTES_WORTH_A_THREAD
        if held and self._is_small:  # NumPy has gathered a few rows before TensorFlow has begun
            self._arrays = tree.map_structure(lambda part: part.numpy(), self._arrays)
        self._blocks: Iterator[Block] | None = None

    def epoch(self, number: int) -> Iterator[Block]:
        """Yield the blocks of an epoch, the ragged last batch as a block of its own; epochs follow each other."""
        if self._blocks is None:
            self._blocks = self._repeated() if self._order is None and self._num_parts <= 2 else self._endless(number)
        return islice(self._blocks, self._num_parts)

    def _repeated(self) -> Iterator[Block]:
        """Yield the same blocks for every epoch: with an order that stays there is nothing to gather again."""
        return cycle([self._block(*part) for part in self._parts(0)])

    def _endless(self, first: int) -> Iterator[Block]:
        parts = (part for number in count(first) for part in self._parts(number))
        if self._is_small:
            yield from (self._block(*part) for part in parts)
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._block, *next(parts))
            for part in parts:
                ready, coming = coming, ahead.submit(self._block, *part)
                yield ready.result()

    def _parts(self, number: int) -> Iterator[tuple[Any, int, int]]:
        """Yield row numbers, rows a batch, and how many batches count."""
        rows = np.arange(self._num_rows) if self._order is None else self._order(number)
        size, num_full = self._batch_size, self._num_rows // self._batch_size
        for start in range(0, num_full, self._steps_of_a_block):
            num_steps = min(self._steps_of_a_block, num_full - start)
            taken = rows[start * size : (start + num_steps) * size]
            yield np.resize(taken, self._steps_of_a_block * size), size, num_steps
        if num_full * size < self._num_rows:
            yield rows[num_full * size :], self._num_rows - num_full * size, 1

    def _block(self, rows: Any, batch_size: int, num_steps: int) -> Block:
        num_full = self._num_rows // self._batch_size
        return Block(self._gathered(rows, batch_size), num_steps, num_full if batch_size == self._batch_size else 1)

    def _gathered(self, rows: Any, batch_size: int) -> Any:
        if self._held and self._is_small:
            return tree.map_structure(lambda part: tf.constant(part[rows].reshape(-1, batch_size, *part.shape[1:])), self._arrays)
        taken = tree.map_structure(lambda part: tf.gather(part, rows), self._arrays) if self._held else self._read(rows)
        return tree.map_structure(lambda part: tf.reshape(part, (-1, batch_size, *part.shape[1:])), taken)

    def _read(self, rows: Any) -> Any:
        ascending = np.argsort(rows, kind="stable")  # files are read forwards
        back = np.empty_like(ascending)
        back[ascending] = np.arange(len(rows))
        return tensors(tree.map_structure(lambda part: np.asarray(part[rows[ascending]])[back], self._arrays))


def tensors(arrays: Any) -> Any:
    """Return tensors of the dtypes that Keras's `fit` gives: floats become `floatx`."""
    return tree.map_structure(tf.convert_to_tensor, convert_to_sliceable(arrays, target_backend="tensorflow"))


class Pipeline:
    """A tf.data pipeline, which brings its own order."""

    def __init__(self, dataset: Any, class_weight: Any = None, *, steps_per_epoch: int | None, goes_on: bool) -> None:
        """Take a dataset of batches as `fit` does.

        Args:
            dataset: of batches.
            class_weight: class number to weight.
            steps_per_epoch: batches of an epoch; None for all.
            goes_on: whether with `steps_per_epoch` an epoch goes on where the last one ended.
        """
        adapter = TFDatasetAdapter(dataset, class_weight=class_weight)
        self._dataset, self._length = adapter.get_tf_dataset(), adapter.num_batches
        self._steps_per_epoch, self._goes_on = steps_per_epoch, goes_on and steps_per_epoch is not None
        self._iterator: Any = None
        self._stream: Stream | None = None
        self._num_begun = self._num_passed = 0  # iterators, and batches of the last one in epochs that are done
        self._is_within = False  # an epoch
        self.num_steps = steps_per_epoch or self._length
        self.spec = self._dataset.element_spec

    def epoch(self, number: int) -> Iterator[Stream]:  # noqa: ARG002 - the pipeline brings its own order
        """Yield the epoch's iterator."""
        if self._iterator is None or not self._goes_on:
            self._restart()
        self._is_within = True
        self._stream = Stream(self._iterator, self.num_steps)
        yield self._stream

    def passed(self, num_steps: int) -> None:
        """Take note that an epoch had so many steps."""
        self._num_passed += num_steps
        self._is_within = False
        if self._steps_per_epoch and num_steps < self._steps_per_epoch:
            warnings.warn(
                f"expected data for {self._steps_per_epoch} steps an epoch, received {num_steps} before they ended: "
                "repeat the dataset, or lower steps_per_epoch",
                stacklevel=2,
            )
            self.close()
        elif self._length and self._num_passed >= self._length:
            self._restart()  # as Keras does: a pipeline that shuffles anew for every iterator so keeps the orders it has there
        self.num_steps = self._steps_per_epoch or num_steps

    @property
    def place(self) -> tuple[int, int]:
        """How many iterators were begun before the epoch, and how many batches the last one had given."""
        return self._num_begun - (self._is_within and not self._goes_on), self._num_passed

    def go_on(self, num_begun: int, num_passed: int) -> None:
        """Come to a place of another process: a pipeline that shuffles takes a new order for each iterator.

        Batches are read up to there only where epochs go on with the same iterator.
        """
        while self._num_begun < num_begun:
            self._restart()
        if self._goes_on and self._iterator is not None:
            for _ in range(num_passed):
                next(self._iterator)
            self._num_passed = num_passed

    def close(self) -> None:
        """Let go of the iterator, in a thread.

        A wake-up of the thread with which TensorFlow tunes it gets lost now and then: freeing it takes as long as it was in
        use then, a minute at most (of ten in use for three seconds one to three did, on a busy machine).
        """
        if self._iterator is None:
            return
        held = [self._iterator]
        self._iterator = None
        if self._stream:
            self._stream.iterator = None
        threading.Thread(target=held.clear, name="mltrain-free", daemon=True).start()

    def _restart(self) -> None:
        self.close()
        self._iterator, self._num_passed = iter(self._dataset), 0
        self._num_begun += 1
