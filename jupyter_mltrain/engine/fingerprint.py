"""What can be said of data and of weights for the record: kind, shape, dtype and a hash of the content."""

from __future__ import annotations

from typing import Any

from jupyter_mltrain.engine.data import arrays


def fingerprints(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return one entry for each array of a `fit` call, and one for each stream, which says that its content is unknown."""
    found: dict[str, Any] = {}
    for name in ("x", "y", "sample_weight", "validation_data"):
        value = arguments.get(name)
        if value is None:
            continue
        parts = {part: _array(content) for part, content in arrays(value, name)}
        found.update(parts or {name: _stream(value)})
    return found


def weights_checksum(model: Any) -> str:
    """Return a hash of a model's weights (XXH3, 128 bits), the same whatever their names and their file are."""
    import numpy as np
    import xxhash

    hashed = xxhash.xxh3_128()
    for weights in model.get_weights():
        content = np.ascontiguousarray(weights)
        hashed.update(f"{content.dtype}{weights.shape}".encode())
        hashed.update(content.reshape(-1).view(np.uint8).data)
    return f"xxh3:{hashed.hexdigest()}"


def _array(value: Any) -> dict[str, Any]:
    """Hash the bytes in C order, so that a view and its copy are the same data (XXH3, 128 bits)."""
    import numpy as np
    import xxhash

    content = np.asarray(value)
    hashed = xxhash.xxh3_128()
    if content.dtype.kind == "O":
        for item in content.flat:
            hashed.update(f"{type(item).__name__}:{item}\0".encode())
    else:
        hashed.update(np.ascontiguousarray(content).data.cast("B") if content.size else b"")
    return {
        "kind": type(value).__name__,
        "shape": list(content.shape),
        "dtype": str(content.dtype),
        "content": f"xxh3:{hashed.hexdigest()}",
    }


def _stream(value: Any) -> dict[str, Any]:
    said = {"kind": type(value).__name__, "content": "not known: a stream"}
    if hasattr(value, "element_spec"):
        said["elements"] = str(value.element_spec)
        said["batches"] = str(int(value.cardinality()))  # -1 infinite, -2 unknown
    elif hasattr(value, "num_batches"):
        said["batches"] = str(value.num_batches)
    return said
