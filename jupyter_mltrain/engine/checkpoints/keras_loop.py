"""Keras's own loop, made to begin its data where they stand after some epochs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras.src.backend.tensorflow import trainer
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.data_adapters.tf_dataset_adapter import TFDatasetAdapter


@contextmanager
def begun_after(num_epochs: int) -> Iterator[None]:
    """Let the next `fit` of Keras begin arrays and pipelines as if it had gone over them so many times.

    A pipeline that shuffles takes a new order for each iterator, so Keras's iterators are made again; batches are read
    only where `steps_per_epoch` cuts them into epochs. Other data are left as they are.
    """
    original: Any = trainer.TFEpochIterator
    num_made = 0

    class Begun(original):
        def __init__(self, *args: Any, **options: Any) -> None:
            nonlocal num_made
            super().__init__(*args, **options)
            num_made += 1  # the others are for validations
            is_known = isinstance(self.data_adapter, ArrayDataAdapter | TFDatasetAdapter)
            self._num_to_pass = num_epochs if num_made == 1 and is_known else 0

        def _enumerate_iterator(self) -> Iterator[Any]:
            for _ in range(self._num_to_pass):
                self._pass_over()
            self._num_to_pass = 0
            yield from super()._enumerate_iterator()

        def _pass_over(self) -> None:
            if not self.steps_per_epoch and not self._num_batches:
                iter(self._get_iterator())
                return
            for _, _, iterator in super()._enumerate_iterator():
                for _ in range(self.steps_per_execution if self.steps_per_epoch else 0):
                    next(iterator)

    trainer.TFEpochIterator = Begun
    try:
        yield
    finally:
        trainer.TFEpochIterator = original
