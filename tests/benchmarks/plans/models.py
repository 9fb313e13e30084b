"""The models of the table: each function gives a new compiled model and the arguments of its `fit`, the data made from a seed.

Every function takes how many rows to train on. Batches have 32 rows. What varies (epochs, callbacks) is left to the caller.
The pipelines shuffle themselves (Keras would warn that it does not), anew for every epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH_SIZE = 32

Made = tuple[Any, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table.

    Attributes:
        name: in the table, and for `--only`.
        make: from a number of rows to a new compiled model and the arguments of its `fit`.
        num_rows: to train on.
        draws: whether a step draws random numbers; XLA draws others.
    """

    name: str
    make: Callable[[int], Made]
    num_rows: int
    draws: bool = False

    @property
    def num_steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.num_rows // BATCH_SIZE)


def mlp(num_rows: int, *, units: int) -> Made:
    model = _stacked((20,), layers.Dense(units, "relu"), layers.Dense(units, "relu"), layers.Dense(1, "sigmoid"))
    return _compiled(model, "binary_crossentropy"), _arrays(*_table(num_rows))


def mlp_with_dropout(num_rows: int) -> Made:
    hidden = [layers.Dense(64, "relu"), layers.Dropout(0.3), layers.Dense(64, "relu"), layers.Dropout(0.3)]
    return _compiled(_stacked((20,), *hidden, layers.Dense(1, "sigmoid")), "binary_crossentropy"), _validated(_table, num_rows)


def mlp_with_dropout_and_normalization(num_rows: int) -> Made:
    hidden: list[Any] = []
    for _ in range(2):
        hidden += [layers.Dense(64), layers.BatchNormalization(), layers.Activation("relu"), layers.Dropout(0.3)]
    return _compiled(_stacked((20,), *hidden, layers.Dense(1, "sigmoid")), "binary_crossentropy"), _validated(_table, num_rows)


def wide_and_deep(num_rows: int) -> Made:
    """Linear in one-hot categories beside an MLP over their embeddings (Cheng et al. 2016)."""
    numbers = keras.Input((8,), name="numbers")
    kinds = {f"kind_{size}": (keras.Input((), dtype="int32", name=f"kind_{size}"), size) for size in _SIZES}
    wide = layers.Add()([layers.Embedding(size, 1)(kind) for kind, size in kinds.values()])
    deep = layers.Concatenate()([numbers, *(layers.Embedding(size, 8)(kind) for kind, size in kinds.values())])
    deep = layers.Dense(32, "relu")(layers.Dense(64, "relu")(deep))
    output = layers.Activation("sigmoid")(layers.Add()([wide, layers.Dense(1)(deep)]))
    model = keras.Model({"numbers": numbers} | {name: kind for name, (kind, _) in kinds.items()}, output)
    return _compiled(model, "binary_crossentropy"), _validated(_mixed_table, num_rows)


def cnn_8(num_rows: int) -> Made:
    model = _stacked((8, 8, 1), layers.Conv2D(32, 3, activation="relu"), layers.Flatten(), layers.Dense(10, "softmax"))
    return _compiled(model, "sparse_categorical_crossentropy"), _arrays(*_images(num_rows, 8))


def cnn_28(num_rows: int) -> Made:
    return _compiled(_stacked((28, 28, 1), *_two_convolutions()), "sparse_categorical_crossentropy"), _validated(
        partial(_images, side=28), num_rows
    )


def lstm(num_rows: int) -> Made:
    model = _stacked((24, 8), layers.LSTM(32), layers.Dense(1))
    return _compiled(model, "mse", "mae"), _validated(_series, num_rows)


def gru(num_rows: int) -> Made:
    return _compiled(_stacked((24, 8), layers.GRU(32), layers.Dense(1)), "mse", "mae"), _arrays(*_series(num_rows))


def transformer(num_rows: int) -> Made:
    """Two encoder blocks over 32 tokens, without Dropout: that has rows of its own."""
    tokens = keras.Input((32,), dtype="int32")
    hidden = layers.Embedding(1000, 32)(tokens) + layers.Embedding(32, 32)(keras.ops.arange(32))
    for _ in range(2):
        attended = layers.MultiHeadAttention(num_heads=2, key_dim=16)(hidden, hidden)
        hidden = layers.LayerNormalization()(hidden + attended)
        hidden = layers.LayerNormalization()(hidden + layers.Dense(32)(layers.Dense(64, "relu")(hidden)))
    output = layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling1D()(hidden))
    return _compiled(keras.Model(tokens, output), "binary_crossentropy"), _arrays(*_sentences(num_rows))


def autoencoder(num_rows: int) -> Made:
    sizes = [layers.Dense(units, "relu") for units in (128, 32, 128)]
    model = _compiled(_stacked((784,), *sizes, layers.Dense(784, "sigmoid")), "mse", "mae")
    images = _images(num_rows, 28)[0].reshape(-1, 784)
    return model, _arrays(images, images)


class OwnStep(keras.Model):
    """A `train_step` as Keras's guide to customizing `fit` writes it."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=(y_pred := self(x, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


def own_train_step(num_rows: int) -> Made:
    inputs = keras.Input((20,))
    hidden = layers.Dense(64, "relu")(layers.Dense(64, "relu")(inputs))
    model = OwnStep(inputs, layers.Dense(1, "sigmoid")(hidden))
    return _compiled(model, "binary_crossentropy"), _arrays(*_table(num_rows))


def augmented(num_rows: int) -> Made:
    """A tf.data pipeline that flips, turns and shifts images.

    Its `map` is not parallel: which batch gets which draw would be a race, and no two trainings could be compared.
    """
    augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.05), layers.RandomTranslation(0.1, 0.1)])
    images, labels = _images(num_rows, 28)
    pipeline = (
        _shuffled(tf.data.Dataset.from_tensor_slices((images, labels)), num_rows)
        .map(lambda image, label: (augment(image, training=True), label))
        .prefetch(tf.data.AUTOTUNE)
    )
    model = _compiled(_stacked((28, 28, 1), *_two_convolutions()), "sparse_categorical_crossentropy")
    return model, {"x": pipeline, "shuffle": False, "validation_data": _images(num_rows // 5, 28, seed=_SEED + 1)}


def feature_space(num_rows: int) -> Made:
    """Columns of numbers, whole numbers and words, encoded in the pipeline as Keras's example of FeatureSpace does."""
    space = keras.utils.FeatureSpace(
        {
            "age": "float_normalized",
            "income": keras.utils.FeatureSpace.float_discretized(num_bins=20),
            "visits": "integer_categorical",
            "town": "string_categorical",
        },
        crosses=[keras.utils.FeatureSpace.cross(("town", "visits"), crossing_dim=32)],
        output_mode="concat",
    )
    batches = _shuffled(_people(num_rows), num_rows)
    space.adapt(batches.map(lambda person, label: person))
    encoded = [
        each.map(lambda person, label: (space(person), label), num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
        for each in (batches, _people(num_rows // 5, seed=_SEED + 1).batch(BATCH_SIZE))
    ]
    features = space.get_encoded_features()
    model = keras.Model(features, layers.Dense(1, "sigmoid")(layers.Dense(32, "relu")(features)))
    return _compiled(model, "binary_crossentropy"), {"x": encoded[0], "shuffle": False, "validation_data": encoded[1]}


_SEED = 20
_SIZES = (1000, 100, 50, 10)  # of wide-and-deep's categories


def _stacked(shape: tuple[int, ...], *stack: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *stack])


def _compiled(model: Any, loss: str, metric: str = "accuracy") -> Any:
    model.compile("adam", loss, metrics=[metric])
    return model


def _two_convolutions() -> list[Any]:
    return [
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    ]


def _arrays(x: Any, y: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "batch_size": BATCH_SIZE}


def _validated(data: Callable[..., tuple[Any, Any]], num_rows: int) -> dict[str, Any]:
    """Return data, and a fifth as many rows to validate on."""
    return _arrays(*data(num_rows)) | {"validation_data": data(num_rows // 5, seed=_SEED + 1)}


def _table(num_rows: int, *, seed: int = _SEED) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num_rows, 20)).astype("float32")
    return x, _noisy(x[:, 0] * x[:, 1] + x[:, 2:5].sum(axis=1), rng)


def _mixed_table(num_rows: int, *, seed: int = _SEED) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {"numbers": rng.normal(size=(num_rows, 8)).astype("float32")}
    columns |= {f"kind_{size}": rng.integers(0, size, num_rows).astype("int32") for size in _SIZES}
    return columns, _noisy(columns["numbers"][:, 0] + columns["kind_10"] / 5 - 1, rng)


def _images(num_rows: int, side: int, *, seed: int = _SEED) -> tuple[Any, Any]:
    """Return bright bars, whose place is their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, num_rows).astype("int32")
    images = rng.random((num_rows, side, side, 1), dtype="float32") / 2
    images[np.arange(num_rows), labels * side // 10] += 0.5
    return images, labels


def _series(num_rows: int, *, seed: int = _SEED) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num_rows, 24, 8)).astype("float32")
    return x, x[:, -6:, 0].mean(axis=1, keepdims=True)


def _sentences(num_rows: int, *, seed: int = _SEED) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 1000, (num_rows, 32)).astype("int32")
    return tokens, _noisy((tokens < 300).sum(axis=1) - 9.6, rng)


def _people(num_rows: int, *, seed: int = _SEED) -> Any:
    rng = np.random.default_rng(seed)
    age, income = rng.uniform(18, 90, num_rows).astype("float32"), rng.lognormal(10, 1, num_rows).astype("float32")
    visits, town = rng.integers(0, 12, num_rows), rng.choice(["north", "south", "east", "west"], num_rows)
    columns = {"age": age, "income": income, "visits": visits, "town": town}
    return tf.data.Dataset.from_tensor_slices((columns, _noisy(age / 30 + visits / 6 - 2.8, rng)))


def _shuffled(rows: Any, num_rows: int) -> Any:
    return rows.shuffle(num_rows, seed=_SEED).batch(BATCH_SIZE)


def _noisy(score: Any, rng: np.random.Generator) -> Any:
    """Return labels that no model can know for sure, so that a loss stays above zero; shape (rows, 1)."""
    return (score + rng.logistic(size=len(score)) / 2 > 0).astype("float32")[:, None]


def cases(num_rows: Sequence[int] = (500, 20_000, 500_000)) -> tuple[Case, ...]:
    """Return the rows of the table; `num_rows` are those of the three MLPs without Dropout."""
    mlps = (
        Case(name=f"MLP {units}-{units}, {number:,} rows", make=partial(mlp, units=units), num_rows=number)
        for units in (32, 64, 512)
        for number in num_rows
    )
    return (
        *mlps,
        Case(name="MLP with Dropout", make=mlp_with_dropout, num_rows=20_000, draws=True),
        Case(
            name="MLP with Dropout and BatchNormalization", make=mlp_with_dropout_and_normalization, num_rows=20_000, draws=True
        ),
        Case(name="wide and deep", make=wide_and_deep, num_rows=20_000),
        Case(name="CNN 8x8", make=cnn_8, num_rows=1_800),
        Case(name="CNN 28x28", make=cnn_28, num_rows=5_000),
        Case(name="LSTM", make=lstm, num_rows=5_000),
        Case(name="GRU", make=gru, num_rows=5_000),
        Case(name="Transformer", make=transformer, num_rows=5_000),
        Case(name="autoencoder", make=autoencoder, num_rows=5_000),
        Case(name="own train_step", make=own_train_step, num_rows=20_000),
        Case(name="tf.data with augmentation", make=augmented, num_rows=5_000, draws=True),
        Case(name="FeatureSpace", make=feature_space, num_rows=20_000),
    )
