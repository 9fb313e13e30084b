"""What is searched: each problem's data, its space and its model, defined once for all arms."""

from __future__ import annotations

import ast
import sysconfig
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn import datasets

_LIBRARIES = ("asyncio", "email", "importlib", "logging", "multiprocessing", "tkinter", "unittest", "xml")
_NUM_WORDS, _VOCABULARY, _LEAST_WORDS = 40, 4_096, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something to search, judged by its lowest `objective`.

    Attributes:
        load: returns the arguments of `fit` that are data, always the same.
        build: makes a compiled model of hyperparameters.
        epochs: of each trial.
        batch_sizes: to choose from; the hyperparameter of `fit`.
    """

    load: Callable[[], dict[str, Any]]
    build: Callable[[Any], Any]
    epochs: int
    batch_sizes: tuple[int, ...] = (16, 32, 64, 128)
    objective: str = "val_loss"

    def fit(self, hp: Any, model: Any, **options: Any) -> Any:
        """Train a model of these hyperparameters; `options` are Keras's `callbacks` and `verbose`."""
        return model.fit(**self.load(), epochs=self.epochs, batch_size=hp.Choice("batch_size", list(self.batch_sizes)), **options)


@cache
def _tabular() -> dict[str, Any]:
    rows = datasets.load_breast_cancer()
    return _split((rows.data - rows.data.mean(axis=0)) / rows.data.std(axis=0), rows.target)


def _tabular_model(hp: Any) -> Any:
    hidden = []
    for number in range(hp.Int("layers", 1, 3)):
        hidden.append(layers.Dense(hp.Int(f"units_{number}", 8, 128, sampling="log"), activation="relu"))
        hidden.append(layers.Dropout(hp.Float(f"dropout_{number}", 0.0, 0.5)))
    return _compiled(hp, [keras.Input((30,)), *hidden, layers.Dense(1, activation="sigmoid")], "binary_crossentropy")


@cache
def _images() -> dict[str, Any]:
    digits = datasets.load_digits()
    return _split(digits.images[..., None] / 16, digits.target)


def _cnn(hp: Any) -> Any:
    hidden = []
    for number in range(hp.Int("layers", 1, 2)):
        filters, size = hp.Int(f"filters_{number}", 8, 48, step=8), hp.Choice(f"size_{number}", [3, 5])
        hidden.append(layers.Conv2D(filters, size, padding="same", activation="relu"))
        hidden.append(layers.MaxPooling2D())
    hidden += [layers.Flatten(), layers.Dropout(hp.Float("dropout", 0.0, 0.5))]
    return _compiled(hp, [keras.Input((8, 8, 1)), *hidden, layers.Dense(10, activation="softmax")])


@cache
def _docstrings() -> dict[str, Any]:
    """Return the words of the standard library's docstrings, hashed, and the packages that they stand in."""
    texts, labels = zip(*((words, label) for label, name in enumerate(_LIBRARIES) for words in _documented(name)), strict=True)
    x = np.zeros((len(texts), _NUM_WORDS), "int32")
    for row, words in zip(x, texts, strict=True):
        row[: len(words)] = [1 + zlib.crc32(word.lower().encode()) % (_VOCABULARY - 1) for word in words]
    return _split(x, np.array(labels))


def _documented(package: str) -> Iterator[list[str]]:
    for file in sorted((Path(sysconfig.get_path("stdlib")) / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                words = (ast.get_docstring(node) or "").split()[:_NUM_WORDS]
                if len(words) >= _LEAST_WORDS:
                    yield words


def _text_model(hp: Any) -> Any:
    hidden = [layers.Embedding(_VOCABULARY, hp.Int("dimensions", 8, 64, sampling="log")), layers.GlobalAveragePooling1D()]
    if hp.Choice("hidden", [True, False]):
        hidden.append(layers.Dense(hp.Int("units", 8, 128, sampling="log"), activation="relu"))
    hidden.append(layers.Dropout(hp.Float("dropout", 0.0, 0.5)))
    return _compiled(
        hp, [keras.Input((_NUM_WORDS,), dtype="int32"), *hidden, layers.Dense(len(_LIBRARIES), activation="softmax")]
    )


def _compiled(hp: Any, parts: list[Any], loss: str = "sparse_categorical_crossentropy") -> Any:
    model = keras.Sequential(parts)
    model.compile(keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, sampling="log")), loss, metrics=["accuracy"])
    return model


def _split(x: Any, y: Any) -> dict[str, Any]:
    """Return all but a fifth of the rows to train on, that fifth to validate on."""
    order, num_validation = np.random.default_rng(0).permutation(len(x)), len(x) // 5
    x, y = (x.astype("int32" if x.dtype.kind == "i" else "float32")[order], y.astype("int32")[order])
    return {
        "x": x[num_validation:],
        "y": y[num_validation:],
        "validation_data": (x[:num_validation], y[:num_validation]),
    }


@cache
def _four_rows() -> dict[str, Any]:
    return {"x": np.ones((4, 1), "float32"), "y": np.ones((4, 1), "float32")}


def _neuron(hp: Any) -> Any:
    return _compiled(hp, [keras.Input((1,)), layers.Dense(1)], "mse")


def _varying(hp: Any) -> Any:
    hidden = [layers.Dense(hp.Int(f"units_{number}", 4, 64), activation="relu") for number in range(hp.Int("layers", 1, 4))]
    return _compiled(hp, [keras.Input((30,)), *hidden, layers.Dense(1, activation="sigmoid")], "binary_crossentropy")


PROBLEMS = {
    "tabular": Problem(load=_tabular, build=_tabular_model, epochs=20),
    "cnn": Problem(load=_images, build=_cnn, epochs=10),
    "text": Problem(load=_docstrings, build=_text_model, epochs=10),
}
TRIVIAL = Problem(load=_four_rows, build=_neuron, epochs=1, batch_sizes=(4,), objective="loss")
GROWING = Problem(load=_tabular, build=_varying, epochs=2)
ALL = {**PROBLEMS, "trivial": TRIVIAL, "growing": GROWING}
