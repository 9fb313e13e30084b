"""What XLA compiles badly for processors, in forms that it compiles well.

Random numbers are drawn by ThreeFry in place of Philox: 0.05 ms for 37,000 of them against 0.27, and in a model, where Philox is
computed anew for every use of a number, 0.3 against 6.4. Convolution and max pooling become matrix products and maxima of slices.
XLA's own code for them on a processor is many times slower than TensorFlow's (28 by 28 images: 23 ms a step against 1.8);
as patches and one product it is faster on small images (8 by 8: 0.05 against 0.29).
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import tensorflow as tf

_LOWERED = {"Conv2D", "MaxPool", "StatelessRandomUniformV2", "StatelessRandomNormalV2", "StatelessTruncatedNormalV2"}
_RANDOM = ("stateless_uniform", "stateless_normal", "stateless_truncated_normal")


def pays_for(graph: Any) -> bool:
    """Tell whether a step's graph has operations that are lowered, on a machine where that helps."""
    on_processor = not tf.config.list_logical_devices("GPU")
    return on_processor and any(operation.type in _LOWERED for operation in graph.get_operations())


@contextmanager
def lowered() -> Iterator[None]:
    """While entered, let what this thread traces use the lowered forms, where there is one; one thread at a time may."""
    with ExitStack() as stack:
        _replace(tf.nn, "convolution", _instead(tf.nn.convolution, _convolution), stack)
        _replace(tf.nn, "max_pool", _instead(tf.nn.max_pool, _max_pool), stack)
        dropout = tf.nn.experimental.stateless_dropout
        _replace(tf.nn.experimental, "stateless_dropout", partial(dropout, rng_alg="threefry"), stack)
        for name in _RANDOM:
            _replace(tf.random, name, partial(getattr(tf.random, name), alg="threefry"), stack)
        yield


def _replace(module: Any, name: str, function: Callable[..., Any], stack: ExitStack) -> None:
    original, tracer = getattr(module, name), threading.get_ident()

    def call(*args: Any, **kwargs: Any) -> Any:
        return (function if threading.get_ident() == tracer else original)(*args, **kwargs)

    stack.callback(setattr, module, name, original)
    setattr(module, name, call)


def _instead(original: Callable[..., Any], lower: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = lower(*args, **kwargs)
        return original(*args, **kwargs) if result is None else result

    return call


def _convolution(
    x: Any, kernel: Any, strides: Any, padding: str, *, data_format: str | None = None, dilations: Any = None
) -> Any | None:
    """Convolve as a product of patches, (rows·places, window·channels), with the kernel; None for what it does not do."""
    window, (channels, filters) = tuple(kernel.shape[:-2]), tuple(kernel.shape[-2:])
    is_plain = (data_format or "NHWC").endswith("C") and set(_many(dilations or 1, window)) == {1}
    if not is_plain or len(window) > 2 or x.shape[-1] != channels or None in x.shape[1:]:
        return None
    strides = _many(strides, window)
    x, places = _padded(x, window, strides, padding)
    patches = tf.concat(list(_slices(x, window, strides, places)), -1)
    product = tf.matmul(tf.reshape(patches, (-1, math.prod(window) * channels)), tf.reshape(kernel, (-1, filters)))
    return tf.reshape(product, (-1, *places, filters))


def _max_pool(x: Any, window: Any, strides: Any, padding: str, data_format: str | None = None) -> Any | None:
    """Pool over windows that do not overlap, the gradient to the first of equal maxima; None for what it does not do."""
    window = _many(window, x.shape[1:-1])
    strides = _many(strides, window)
    is_plain = (data_format or "NHWC").endswith("C") and padding == "VALID"
    if not is_plain or window != strides or len(window) > 2 or None in x.shape[1:]:
        return None
    places = tuple(length // size for length, size in zip(x.shape[1:-1], window, strict=True))
    return _max_of_slices(x, window, places)


def _max_of_slices(x: Any, window: tuple[int, ...], places: tuple[int, ...]) -> Any:
    rest = [(0, length - place * size) for length, place, size in zip(x.shape[1:-1], places, window, strict=True)]

    @tf.custom_gradient
    def pooled(x: Any) -> Any:
        slices = list(_slices(x, window, window, places))
        highest = tf.reduce_max(tf.stack(slices), 0)

        def gradient(upstream: Any) -> Any:
            taken, parts = tf.zeros_like(highest, tf.bool), []
            for each in slices:
                is_first = tf.equal(each, highest) & ~taken
                taken |= is_first
                parts.append(tf.where(is_first, upstream, tf.zeros_like(upstream)))
            return tf.pad(_interleaved(parts, window, places, x.shape[-1]), [(0, 0), *rest, (0, 0)])

        return highest, gradient

    return pooled(x)


def _interleaved(parts: Sequence[Any], window: tuple[int, ...], places: tuple[int, ...], channels: int) -> Any:
    """Put the slices of windows back into their places."""
    num = len(window)
    stacked = tf.reshape(tf.stack(parts), (*window, -1, *places, channels))
    order = [num, *itertools.chain.from_iterable((num + 1 + axis, axis) for axis in range(num)), 2 * num + 1]
    lengths = [place * size for place, size in zip(places, window, strict=True)]
    return tf.reshape(tf.transpose(stacked, order), (-1, *lengths, channels))


def _slices(x: Any, window: Sequence[int], strides: Sequence[int], places: Sequence[int]) -> Iterator[Any]:
    """Yield for each offset in the window what it meets at all places, shape (rows, *places, channels)."""
    for offsets in itertools.product(*map(range, window)):
        cut = (
            slice(offset, offset + (place - 1) * stride + 1, stride)
            for offset, place, stride in zip(offsets, places, strides, strict=True)
        )
        yield x[(slice(None), *cut)]


def _padded(x: Any, window: Sequence[int], strides: Sequence[int], padding: str) -> tuple[Any, tuple[int, ...]]:
    """Pad as TensorFlow does, the odd one at the end; return how many places the window then has."""
    lengths = x.shape[1:-1]
    if padding == "VALID":
        return x, tuple((length - size) // stride + 1 for length, size, stride in zip(lengths, window, strides, strict=True))
    places = tuple(-(-length // stride) for length, stride in zip(lengths, strides, strict=True))
    margins = [
        max(0, (place - 1) * stride + size - length)
        for place, stride, size, length in zip(places, strides, window, lengths, strict=True)
    ]
    return tf.pad(x, [(0, 0), *((margin // 2, margin - margin // 2) for margin in margins), (0, 0)]), places


def _many(value: Any, like: Sequence[Any]) -> tuple[int, ...]:
    return (int(value),) * len(like) if isinstance(value, int) else tuple(int(each) for each in value)
