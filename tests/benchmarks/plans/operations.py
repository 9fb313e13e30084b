"""The arithmetic of a training step, and how fast this machine does matrix products.

Counted are matrix products and convolutions, forward and backward, two operations for each multiplication with its addition:
the model FLOPs of Chowdhery et al. 2022 (PaLM). TensorFlow's own count (`tf.compat.v1.profiler`) has no figure for Einsum and
does not look into loops.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from time import perf_counter
from typing import Any

import keras
import tensorflow as tf

from tests.benchmarks.plans.models import BATCH_SIZE, Case

_SIDE, _NUM_PRODUCTS = 1024, 50


def matmul_rate() -> float:
    """Return the operations a second of the fastest of some float32 matrix products, with all the cores that TensorFlow uses."""
    factor = tf.random.normal((_SIDE, _SIDE))
    return 2 * _SIDE**3 / min(_seconds(factor) for _ in range(_NUM_PRODUCTS))


def _seconds(factor: Any) -> float:
    started = perf_counter()
    tf.matmul(factor, factor).numpy()
    return perf_counter() - started


def of_step(case: Case) -> int:
    """Return the operations of one training step on a full batch."""
    model, arguments = case.make(2 * BATCH_SIZE)
    for layer in model._flatten_layers():
        if hasattr(layer, "unroll"):  # a recurrent layer as a chain of operations that can be counted
            layer.unroll = True
    traced = tf.function(model.train_step, autograph=False).get_concrete_function(_batch(arguments))
    return sum(_COUNTS[each.type](each) for each in _needed(traced.graph) if each.type in _COUNTS)


def _batch(arguments: dict[str, Any]) -> Any:
    if isinstance(arguments["x"], tf.data.Dataset):
        return next(iter(arguments["x"]))
    return keras.tree.map_structure(lambda part: tf.constant(part[:BATCH_SIZE]), (arguments["x"], arguments["y"]))


def _needed(graph: Any) -> set[Any]:
    """Return the operations that results or variables hang on; what else is traced is never computed."""
    needed: set[Any] = set()
    waiting = [*(output.op for output in graph.outputs), *graph.control_outputs]
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [*(each.op for each in operation.inputs), *operation.control_inputs]
    loops = {each.type for each in needed} & {"While", "StatelessWhile", "PartitionedCall", "StatefulPartitionedCall"}
    assert not loops, f"operations hidden in {', '.join(loops)} would not be counted"
    return needed


def _matmul(operation: Any) -> int:
    rows = operation.get_attr("transpose_a")
    return 2 * _size(operation.outputs[0]) * operation.inputs[0].shape[0 if rows else 1]


def _batch_matmul(operation: Any) -> int:
    is_turned = operation.get_attr("adj_x")
    return 2 * _size(operation.outputs[0]) * operation.inputs[0].shape[-2 if is_turned else -1]


def _einsum(operation: Any) -> int:
    terms = operation.get_attr("equation").decode().partition("->")[0].split(",")
    sides = {
        axis: side
        for term, part in zip(terms, operation.inputs, strict=True)
        for axis, side in zip(term, part.shape, strict=True)
    }
    return 2 * prod(sides.values()) if len(terms) > 1 else 0


def _convolution(operation: Any) -> int:
    return _of_convolution(operation.outputs[0], operation.inputs[1].shape)


def _convolution_to_input(operation: Any) -> int:
    return _of_convolution(operation.inputs[2], operation.inputs[1].shape)


def _convolution_to_filter(operation: Any) -> int:
    return _of_convolution(operation.inputs[2], operation.outputs[0].shape)


def _of_convolution(image: Any, kernel: Any) -> int:
    return 2 * _size(image) * prod(kernel[:-1])


def _size(tensor: Any) -> int:
    return prod(tensor.shape)


_COUNTS: dict[str, Callable[[Any], int]] = {
    "MatMul": _matmul,
    "BatchMatMulV2": _batch_matmul,
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _convolution_to_input,
    "Conv2DBackpropFilter": _convolution_to_filter,
}
