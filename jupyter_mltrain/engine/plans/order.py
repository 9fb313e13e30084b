"""The order of the data, owned by the engine: a function of seed, phase and epoch alone."""

from __future__ import annotations

from typing import Any

import numpy as np


def epoch_order(seed: int, phase: int, epoch: int, num_rows: int) -> Any:
    """Return the rows of one epoch in their order: `PCG64([seed, phase, epoch]).permutation(num_rows)`, shape (num_rows,).

    Args:
        seed: of the run.
        phase: number of the `fit` in the run, from 1.
        epoch: Keras's number of the epoch, from 0.
        num_rows: how many rows there are.
    """
    return _generator(seed, phase, epoch).permutation(num_rows)


def order_within_batches(seed: int, phase: int, epoch: int, num_rows: int, batch_size: int) -> Any:
    """Return the rows in an order that leaves each in its batch, Keras's `shuffle="batch"`; shape (num_rows,)."""
    generator = _generator(seed, phase, epoch)
    return np.concatenate(
        [start + generator.permutation(min(batch_size, num_rows - start)) for start in range(0, num_rows, batch_size)]
    )


def _generator(seed: int, phase: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, phase, epoch]))
