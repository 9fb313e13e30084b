"""How much memory there is, and what data and variables need of it."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import psutil
import tensorflow as tf
from tensorflow.python.eager.context import context

from jupyter_mltrain.engine.devices import gpu_memory

SHARE_OF_TRIALS = 0.25
"""Of the free memory, for what is only tried out."""

_CONTAINER = Path("/sys/fs/cgroup")
_RECLAIMABLE = ("active_file", "inactive_file")  # what was read of files, which the kernel gives up when memory is asked for


def free_memory(devices: Sequence[str] = ()) -> int:
    """Return the bytes that can still be taken on each of these devices.

    Args:
        devices: names of logical devices. Of GPUs the one with the least counts; the machine, or the container where that has
            less, counts where none is a GPU or NVIDIA's tool is missing.
    """
    free = [card_free + _idle(name) for name, (_, card_free) in _cards(devices).items()]
    return min(free) if free else _free_here()


def most_memory(devices: Sequence[str] = ()) -> float:
    """Return the bytes that could be taken at the very most: swap counts, and of a GPU all that TensorFlow does not use.

    Args:
        devices: as for `free_memory`.
    """
    if not has_gpu(devices):
        return _free_here() + int(psutil.swap_memory().free)
    return min((total - _used(name)["current"] for name, (total, _) in _cards(devices).items()), default=math.inf)


def give_back() -> None:
    """Let TensorFlow forget the kernels of functions that are gone, and the C library what it holds and does not use.

    Functions that stay are prepared anew by their next call, which takes some 0.2 s.
    """
    context().clear_kernel_cache()
    with suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def num_bytes(arrays: Any) -> int:
    """Return the bytes that a structure of arrays has as tensors: floats of every width become `floatx`."""
    return sum(_size(part) for part in keras.tree.flatten(arrays) if part is not None)


def variable_bytes(variables: Iterable[Any]) -> int:
    """Return the bytes of Keras variables, whether or not they have a value yet."""
    return sum(math.prod(variable.shape) * tf.as_dtype(variable.dtype).size for variable in variables)


def has_gpu(devices: Sequence[str]) -> bool:
    """Tell whether a GPU is among the devices."""
    return bool(_gpus(devices))


def _gpus(devices: Sequence[str]) -> list[str]:
    return [name for name in devices if name.startswith("GPU")]


def _cards(devices: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return total and free bytes of those that are GPUs."""
    gpus = _gpus(devices)
    known = gpu_memory() if gpus else {}
    return {name: known[name] for name in gpus if name in known}


def _used(gpu: str) -> dict[str, int]:
    return dict(tf.config.experimental.get_memory_info(gpu))


def _idle(gpu: str) -> int:
    """Return about what TensorFlow keeps of a GPU for itself without using it: it gives nothing back."""
    used = _used(gpu)
    return used["peak"] - used["current"]


def _free_here() -> int:
    free = int(psutil.virtual_memory().available)
    try:
        limit = int((_CONTAINER / "memory.max").read_text())
        used = int((_CONTAINER / "memory.current").read_text())
        shares = dict(line.split() for line in (_CONTAINER / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free
    reclaimable = sum(int(shares.get(name, 0)) for name in _RECLAIMABLE)
    return min(free, max(0, limit - used + reclaimable))


def _size(part: Any) -> int:
    if hasattr(part, "memory_usage"):  # a data frame or a series of pandas
        used = part.memory_usage()
        return int(used.sum() if hasattr(used, "sum") else used)
    if not hasattr(part, "dtype") or not hasattr(part, "shape"):
        return 0
    name = getattr(part.dtype, "name", str(part.dtype))
    is_float = name in ("float16", "float32", "float64", "bfloat16")
    width = tf.as_dtype(keras.config.floatx()).size if is_float else getattr(part.dtype, "itemsize", None) or part.dtype.size
    return int(math.prod(part.shape)) * width
