"""How much memory there is, and what data need of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
from keras import tree

_LIMIT = Path("/sys/fs/cgroup/memory.max")
_USED = Path("/sys/fs/cgroup/memory.current")


def free_memory() -> int:
    """Return the bytes that this process can still take: of the machine, or of the container where that has fewer."""
    free = int(psutil.virtual_memory().available)
    try:
        return min(free, max(0, int(_LIMIT.read_text()) - int(_USED.read_text())))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return free


def num_bytes(arrays: Any) -> int:
    """Return the bytes of a structure of arrays as tensors of it would have."""
    return sum(_size(part) for part in tree.flatten(arrays) if part is not None)


def _size(part: Any) -> int:
    if hasattr(part, "nbytes"):
        return int(part.nbytes)
    if hasattr(part, "memory_usage"):  # a data frame or a series of pandas
        used = part.memory_usage()
        return int(used.sum() if hasattr(used, "sum") else used)
    return int(part.dtype.size * part.shape.num_elements()) if hasattr(part, "dtype") else 0
