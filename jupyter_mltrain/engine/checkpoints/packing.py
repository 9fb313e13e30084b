"""Plain values and arrays as JSON beside a list of arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

_PLAIN = (bool, int, float, str, type(None))


def packed(value: Any, arrays: list[Any]) -> Any:
    """Return a value as JSON can hold it, and append its arrays to `arrays`.

    Raises:
        TypeError: it holds something other than None, booleans, numbers, text, arrays, and lists, tuples and dicts of them.
    """
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject or value.dtype.names:
            raise TypeError(f"an array of {value.dtype} is no plain value")
        arrays.append(np.asarray(value))
        return {"scalar" if isinstance(value, np.generic) else "array": len(arrays) - 1}
    if type(value) in _PLAIN:
        return value
    if type(value) is list:
        return [packed(item, arrays) for item in value]
    if type(value) is tuple:
        return {"tuple": [packed(item, arrays) for item in value]}
    if type(value) is dict:
        return {"dict": [[packed(key, arrays), packed(item, arrays)] for key, item in value.items()]}
    raise TypeError(f"{type(value).__name__} is no plain value")


def unpacked(value: Any, arrays: list[Any]) -> Any:
    """Return what `packed` was given."""
    if isinstance(value, list):
        return [unpacked(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "array":
            return arrays[content]
        case "scalar":
            return arrays[content][()]
        case "tuple":
            return tuple(unpacked(item, arrays) for item in content)
        case _:
            return {unpacked(key, arrays): unpacked(item, arrays) for key, item in content}
