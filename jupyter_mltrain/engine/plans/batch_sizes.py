"""Which batch size is the fastest a sample: measured, on a copy of the weights, with the memory in view."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Any

import tensorflow as tf
from keras import tree

from jupyter_mltrain.domain.errors import DeviceError
from jupyter_mltrain.engine.plans.feed import Arrays, Block
from jupyter_mltrain.engine.plans.memory import SHARE_OF_TRIALS, free_memory
from jupyter_mltrain.engine.plans.program import Program
from jupyter_mltrain.engine.plans.restoring import restored

_SMALLEST = 32
_FEWEST_STEPS = 20  # of an epoch: a rate is tuned to many steps, and an epoch of a few large ones teaches little
_LEAST_GAIN = 1.1
_SECONDS_OF_A_MEASURE = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSizes:
    """What was measured.

    Attributes:
        speeds: batch size to samples a second, of those that were tried, ascending.
        chosen: the size to train with.
        limit: why not the next one.
    """

    speeds: dict[int, float]
    chosen: int
    limit: str


def measure_batch_sizes(
    model: Any, parts: tuple[Any, Any, Any], class_weight: Any, *, is_ending: Callable[[], bool]
) -> BatchSizes | None:
    """Train a few steps at 32, 64, 128 … rows each, in the loop of plan `epoch`, and take everything back.

    It goes on as long as the next size leaves 20 steps an epoch, is estimated to stay within a quarter of the free memory,
    fits, and does at least a tenth more samples a second.

    Args:
        model: compiled.
        parts: x, y and sample weights, arrays.
        class_weight: class number to weight.
        is_ending: asked before each size whether to give up.

    Returns:
        what was measured; None if it was given up.

    Raises:
        DeviceError: not even 32 rows fit.
    """
    num_rows = int(tree.flatten(parts)[0].shape[0])
    speeds: dict[int, float] = {}
    first = Arrays(parts, class_weight, batch_size=_SMALLEST, order=None, held=False)
    any_size = tree.map_structure(lambda spec: tf.TensorSpec((None, *spec.shape[1:]), spec.dtype), first.spec)
    program = Program(model.train_step, any_size, jit_compile=model.jit_compile)
    most_rows = SHARE_OF_TRIALS * free_memory() / _bytes_of_a_row(program)
    with restored(program):
        for size in (_SMALLEST * 2**power for power in count()):
            if is_ending():
                return None
            if size > _SMALLEST and num_rows < _FEWEST_STEPS * size:
                return _chosen(speeds, f"{size} would leave fewer than {_FEWEST_STEPS} steps an epoch")
            if size > _SMALLEST and size > most_rows:
                return _chosen(speeds, f"{size} may need more than a quarter of the free memory")
            feed = Arrays(parts, class_weight, batch_size=size, order=None, held=False)
            try:
                speed = size / _seconds_of_a_step(program, next(feed.epoch(0)))
            except tf.errors.ResourceExhaustedError as error:
                if not speeds:
                    raise DeviceError(
                        f"expected memory for batches of {size} rows, received none: pass a smaller --batch-size"
                    ) from error
                return _chosen(speeds, f"{size} does not fit in memory")
            if speeds and speed < _LEAST_GAIN * speeds[size // 2]:
                return _chosen(speeds, f"{size} brings less than a tenth more")
            speeds[size] = speed
    raise AssertionError("the rows end before the sizes")


def _chosen(speeds: dict[int, float], limit: str) -> BatchSizes:
    return BatchSizes(speeds=speeds, chosen=max(speeds), limit=limit)


def _bytes_of_a_row(program: Program) -> int:
    """Estimate from above what a row needs: all tensors of a step's graph with an axis of rows, as if none were freed."""
    tensors = [tensor for operation in program.graph.get_operations() for tensor in operation.outputs]
    shapes = [(tensor.shape.as_list(), tensor.dtype.size) for tensor in tensors if tensor.shape.rank]
    return sum(size * math.prod(side or 1 for side in shape[1:]) for shape, size in shapes if shape[0] is None) or 1


def _seconds_of_a_step(program: Program, block: Block) -> float:
    most = min(block.num_steps, program.most_steps or block.num_steps)
    _seconds(program, block, 1)  # the first call optimizes the graph
    once = _seconds(program, block, 1)
    num_steps = max(1, min(most, int(_SECONDS_OF_A_MEASURE / once)))
    return min(_seconds(program, block, num_steps) for _ in range(3)) / num_steps


def _seconds(program: Program, block: Block, num_steps: int) -> float:
    started = perf_counter()
    logs = program.block(block.data, 0, num_steps)
    for log in tree.flatten(logs):
        log.numpy()  # waits for the device
    return perf_counter() - started
