"""The confusion matrix of a classifier on its validation data."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.engine.plans.predicting import Predictor

_MOST_CLASSES = 50  # a larger matrix cannot be read
_MOST_NUMBERED = 12  # classes, with room for a number in each field
_INCHES = 6.0


def validation_of(merged: Mapping[str, Any]) -> Any:
    """Return what the `fit` with these arguments validates on: `(x, y)`, `(x, y, weights)`, or batches of these.

    Raises:
        OptionError: it validates on nothing.
    """
    found = merged.get("validation_data")
    if found is None and merged.get("validation_split"):
        parts = (merged["x"], merged["y"])
        first = int(len(keras.tree.flatten(parts)[0]) * (1 - merged["validation_split"]))
        found = keras.tree.map_structure(lambda part: part[first:], parts)
    if found is None:
        raise OptionError("expected validation data for --confusion, received none: pass --val or --validation-split")
    return found


def confusion_matrix(model: Any, validation: Any) -> np.ndarray[Any, Any]:
    """Return how many rows of each class, of shape `(classes, classes)`, are taken for which: row is true, column is predicted.

    Raises:
        OptionError: the model is no classifier of at most 50 classes.
    """
    predict, pairs = Predictor(model), []
    for x, y in _batches(validation):
        outputs = predict(x)
        if not isinstance(outputs, np.ndarray) or outputs.ndim != 2 or outputs.shape[1] > _MOST_CLASSES:
            raise OptionError(
                f"expected a classifier of at most {_MOST_CLASSES} classes for --confusion, received one whose outputs are "
                f"{keras.tree.map_structure(lambda part: tuple(part.shape), outputs)}: leave it out"
            )
        pairs.append((_true(np.asarray(y), outputs.shape[1]), _predicted(model, outputs)))
    true, predicted = map(np.concatenate, zip(*pairs, strict=True))
    matrix = np.zeros((max(2, outputs.shape[1]),) * 2, dtype=int)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def picture(matrix: np.ndarray[Any, Any]) -> bytes:
    """Return a confusion matrix as a PNG: each row in shares of its class, with the numbers of rows where there is room."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, _INCHES), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true", xticks=range(len(matrix)), yticks=range(len(matrix)))
    if len(matrix) <= _MOST_NUMBERED:
        for (row, column), number in np.ndenumerate(matrix):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(number), ha="center", va="center", color=colour)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _batches(validation: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(validation, tuple | list):
        yield validation[0], validation[1]
    else:
        for x, y, *_ in validation:
            yield keras.tree.map_structure(np.asarray, x), y


def _true(y: np.ndarray[Any, Any], num_outputs: int) -> np.ndarray[Any, Any]:
    is_one_hot = y.ndim == 2 and y.shape[1] == num_outputs > 1
    classes: np.ndarray[Any, Any] = y.argmax(axis=1) if is_one_hot else y.reshape(-1)
    if not np.array_equal(classes, classes.astype(int)) or classes.min() < 0 or classes.max() >= max(2, num_outputs):
        raise OptionError("expected targets that are classes for --confusion, received other numbers: leave it out")
    return classes.astype(int)


def _predicted(model: Any, outputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if outputs.shape[1] > 1:
        found: np.ndarray[Any, Any] = outputs.argmax(axis=1)
        return found
    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "linear")
    return (outputs[:, 0] > (0 if activation == "linear" else 0.5)).astype(int)
