"""From what the user names as data to the arguments of `fit`, and the checks that save a failed first step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jupyter_mltrain.domain.errors import DataError, did_you_mean


def is_frame(value: Any) -> bool:
    """Tell whether a value is a pandas data frame, without importing pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "columns")


def fit_arguments(data: Any, target: str | None, model: Any) -> dict[str, Any]:
    """Return `x`, and `y` and `sample_weight` where there are any, as `fit` takes them.

    Args:
        data: `(x, y)`, `(x, y, sample_weight)`, a data frame or a dict of columns with `target`, or anything that brings its
            own targets (tf.data, `PyDataset`, a generator).
        target: the column, or columns parted by commas, to predict.
        model: decides whether columns go in by name (a model with a dict of inputs) or as one array.

    Raises:
        DataError: a column is missing or cannot be used.
    """
    if target is not None:
        return _columns(data, target, model)
    if is_frame(data):
        raise DataError(
            f"expected --target with a data frame, received none: its columns are {', '.join(map(str, data.columns))}"
        )
    if isinstance(data, tuple) and len(data) in (2, 3):
        return dict(zip(("x", "y", "sample_weight"), data, strict=False))
    return {"x": data}


def _columns(data: Any, target: str, model: Any) -> dict[str, Any]:
    import numpy as np

    if not is_frame(data) and not isinstance(data, dict):
        raise DataError(
            f"expected a data frame or a dict of columns with --target, received {described(data)}: leave --target out"
        )
    columns = {str(name): np.asarray(data[name]) for name in data}
    targets = [target] if target in columns else [name.strip() for name in target.split(",")]
    for name in targets:
        if name not in columns:
            raise DataError(f"expected a target column of the data, received {name!r}{did_you_mean(name, columns)}")
    y = [_number_column(name, columns.pop(name)) for name in targets]
    x: Any = columns
    if not isinstance(getattr(model, "input", None) if model.built else None, dict):
        x = np.stack([_number_column(name, column) for name, column in columns.items()], axis=1)
    return {"x": x, "y": y[0] if len(y) == 1 else np.stack(y, axis=1)}


def _number_column(name: str, column: Any) -> Any:
    if column.dtype.kind not in "biuf":
        raise DataError(
            f"expected numbers in every column, received {column.dtype} in column {name!r}: "
            "encode it, or build a model with named inputs (keras.utils.FeatureSpace)"
        )
    _check_finite(f"column {name!r}", column)
    return column.astype("float32") if column.dtype.kind == "f" else column


def described(value: Any) -> str:
    """Name a value for a message: class and shape."""
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {tuple(shape)}" if shape is not None else type(value).__name__


def arrays(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every array of a structure (dict, list, frame) with a name for messages; nothing for streams."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from arrays(part, f"{name}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from arrays(part, f"{name}[{index}]")
    elif is_frame(value):
        for column in value.columns:
            yield f"{name}[{column!r}]", value[column].to_numpy()
    elif hasattr(value, "shape") and hasattr(value, "dtype"):
        yield name, value


def check(arguments: dict[str, Any], model: Any, *, allow_nan: bool) -> None:
    """Check the data of one `fit` before its first step.

    Raises:
        DataError: no rows, parts of unequal length, rows of a shape that the model does not take, labels that the model
            has no output for, NaN or infinity (unless `allow_nan`).
    """
    parts = {name: list(arrays(arguments.get(name), name)) for name in ("x", "y", "sample_weight")}
    named = [part for group in parts.values() for part in group]
    _check_lengths([(name, value) for name, value in named if len(value.shape)])
    _check_shapes(parts["x"], model)
    _check_targets(parts["y"], model)
    if not allow_nan:
        for name, value in [*named, *arrays(arguments.get("validation_data"), "validation_data")]:
            _check_finite(name, value)


def _check_lengths(named: list[tuple[str, Any]]) -> None:
    lengths = {name: int(value.shape[0]) for name, value in named if value.shape[0] is not None}
    for name, length in lengths.items():
        if length == 0:
            raise DataError(f"expected at least one row, received none in {name}: look at how it was selected")
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"expected as many rows in every part of the data, received {found}: take them from the same selection")


def _check_shapes(x: list[tuple[str, Any]], model: Any) -> None:
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or len(x) != 1:
        return  # Keras itself names the parts of several inputs
    name, value = x[0]
    wanted, received = tuple(inputs[0].shape), tuple(value.shape)
    if not _fits(received[1:], wanted[1:]):
        raise DataError(
            f"expected {name} of shape {_shape(wanted)} for model {model.name!r}, received {_shape(received)}: "
            "reshape the data or change the model's Input"
        )


def _fits(received: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Compare without the batch axis; Keras adds or takes away a last axis of length 1 by itself."""
    for candidate in (received, (*received, 1), received[:-1] if received[-1:] == (1,) else received):
        if len(candidate) == len(wanted) and all(side in (None, length) for side, length in zip(wanted, candidate, strict=True)):
            return True
    return False


def _check_targets(y: list[tuple[str, Any]], model: Any) -> None:
    outputs = getattr(model, "outputs", None) or []
    loss = getattr(model, "loss", None)
    kind = loss if isinstance(loss, str) else getattr(loss, "name", None)
    if len(outputs) != 1 or len(y) != 1:
        return
    (name, value), output = y[0], tuple(outputs[0].shape)
    if kind == "categorical_crossentropy" and not _fits(tuple(value.shape)[1:], output[1:]):
        raise DataError(
            f"expected {name} of shape {_shape(output)} for the loss {kind}, received {_shape(tuple(value.shape))}: "
            "for labels that are class numbers use sparse_categorical_crossentropy"
        )
    if kind == "sparse_categorical_crossentropy" and output[-1] and str(value.dtype).startswith(("int", "uint")):
        import numpy as np

        lowest, highest = int(np.min(value)), int(np.max(value))
        if lowest < 0 or highest >= output[-1]:
            raise DataError(
                f"expected labels from 0 to {output[-1] - 1} for the {output[-1]} outputs of model {model.name!r}, "
                f"received {lowest} to {highest} in {name}: renumber the labels or widen the last layer"
            )


def _shape(shape: tuple[int | None, ...]) -> str:
    sides = ", ".join("any" if side is None else str(side) for side in shape)
    return f"({sides},)" if len(shape) == 1 else f"({sides})"


def _check_finite(name: str, value: Any) -> None:
    import numpy as np

    if getattr(value.dtype, "kind", "") != "f":
        return
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(value)):
            return  # one pass without a copy; a sum that only overflows is looked at again below
    bad = ~np.isfinite(value)
    if not bad.any():
        return
    place = tuple(int(axis[0]) for axis in np.nonzero(bad))
    column = f", column {place[-1]}" if len(place) > 1 else ""
    raise DataError(
        f"expected finite numbers in {name}, received {int(bad.sum())} NaN or infinite, the first in row {place[0]}{column}: "
        "fill or drop them, or pass --allow-nan"
    )
