"""What a training step keeps in memory between its forward and its backward pass, read from the graph of the step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

_SAME_MEMORY = ("ExpandDims", "Identity", "PreventGradient", "Reshape", "Squeeze", "StopGradient")
_NOT_COMPUTED = ("Const", "Placeholder", "ReadVariableOp")  # constants, the batch, the weights
_LOOPS = ("StatelessWhile", "While")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_BACKWARD = "gradient_tape/"


def activation_bytes(graph: Any) -> int:
    """Return about how many bytes the activations of one training step take at their peak.

    Nothing is executed. What TensorFlow keeps for the backward pass are the tensors that an operation of the forward pass makes
    and one of the backward pass reads; their bytes are summed, each counted once, those that a loop over time steps puts
    aside as often as it goes round. On top come, twice, the bytes of the largest: while the backward pass goes through a
    layer, the gradient that came in and the one that goes out are there as well. Against the peak of the process it gave
    0.7 to 1.3 times what was measured (dense, convolutional, recurrent and attention models on the CPU); convolutions need
    most besides, since their kernels rearrange what they read.

    Args:
        graph: of a step that was traced for a batch of known shape; the backward pass is told by the names that
            `tf.GradientTape` gives its operations.
    """
    backward = _backward(graph)
    kept: dict[Any, int] = {}
    elsewhere = 0
    for operation in graph.get_operations():
        if operation.name in backward:
            for tensor in map(_origin, operation.inputs):
                if tensor.op.name not in backward and tensor.op.type not in _NOT_COMPUTED:
                    kept[tensor.ref()] = _size(tensor)
        elif operation.type in _LOOPS:
            elsewhere += _accumulated(operation, _body(graph, operation, "body"))
        elif operation.type in _CALLS:  # a train_step, or a part of it, that is a tf.function of its own
            elsewhere += activation_bytes(_body(graph, operation, "f"))
    return sum(kept.values()) + elsewhere + 2 * max(kept.values(), default=0)


def _body(graph: Any, operation: Any, attribute: str) -> Any:
    """Return the graph of a function that an operation runs."""
    return graph._get_function(operation.get_attr(attribute).name).graph  # noqa: SLF001 - there is no public way


def _backward(graph: Any) -> set[str]:
    """Return the names of the operations of the backward pass, and of all that is computed from it."""
    names: set[str] = set()
    for operation in graph.get_operations():
        if operation.name.startswith(_BACKWARD) or any(each.op.name in names for each in operation.inputs):
            names.add(operation.name)
    return names


def _origin(tensor: Any) -> Any:
    while tensor.op.type in _SAME_MEMORY:
        tensor = tensor.op.inputs[0]
    return tensor


def _size(tensor: Any) -> int:
    count = tensor.shape.num_elements()
    return 0 if count is None else int(count * tensor.dtype.size)


def _accumulated(loop: Any, body: Any) -> int:
    """Return the bytes of what a loop puts into lists, over all its rounds."""
    return _num_rounds(loop) * sum(_size(tensor) for tensor in _put_aside(body))


def _put_aside(body: Any) -> Iterator[Any]:
    for operation in body.get_operations():
        if operation.type == "TensorListPushBack" and operation.inputs[1].op.type != "ReadVariableOp":
            yield operation.inputs[1]
        elif operation.type == "TensorListSetItem":
            yield operation.inputs[2]


def _num_rounds(loop: Any) -> int:
    """Return the length of the longest list that a loop begins with; 1 where none is known."""
    lengths = [1]
    for tensor in loop.inputs:
        operation = tensor.op
        if operation.type == "TensorListReserve":
            length = tf.get_static_value(operation.inputs[1])
            lengths.append(0 if length is None else int(length))
        elif operation.type == "TensorListFromTensor":
            lengths.append(operation.inputs[0].shape[0] or 0)
    return max(lengths)
