"""Trainings that have something to lose: each returns a compiled model and the arguments of its `fit`."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype("float32")
Y = (X[:, 0] + 0.5 * RNG.normal(size=200) > 0).astype("int32")
IMAGES = RNG.uniform(size=(96, 8, 8, 1)).astype("float32")
SERIES = RNG.normal(size=(96, 5, 3)).astype("float32")
VALIDATION = (X[150:], Y[150:])


def classifier(*hidden, optimizer="adam", shape=(6,)):
    model = keras.Sequential([keras.Input(shape), *(hidden or [layers.Dense(8, "relu")]), layers.Dense(2, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def plain():
    return classifier(), {"x": X, "y": Y, "validation_data": VALIDATION}


def in_order():
    return classifier(), {"x": X, "y": Y, "shuffle": False}


def shuffled_batches():
    return classifier(), {"x": X, "y": Y, "shuffle": "batch", "batch_size": 17}


def dropout_and_noise():
    hidden = layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.3), layers.GaussianNoise(0.1)
    return classifier(*hidden), {"x": X, "y": Y, "validation_split": 0.2}


def pipeline_that_shuffles():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(200).batch(32)
    return classifier(), {"x": data}


def pipeline_without_end():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(200, seed=4).batch(32).repeat()
    return classifier(), {"x": data, "steps_per_epoch": 5}


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.rng, self.rows = np.random.default_rng(5), np.arange(200)
        self.x = np.tile(X, (1, 250))  # more than a megabyte, which stays as it is

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rows = self.rows[40 * index : 40 * index + 40]
        return self.x[rows][:, :6], Y[rows]

    def on_epoch_end(self):
        self.rng.shuffle(self.rows)


def dataset_that_shuffles():
    return classifier(), {"x": Batches()}


def early_stopping():
    stop = keras.callbacks.EarlyStopping(patience=2, min_delta=0.02, restore_best_weights=True)
    return classifier(), {"x": X, "y": Y, "validation_data": VALIDATION, "callbacks": [stop]}


def reduced_on_plateau():
    reduce = keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.3, min_delta=0.05, cooldown=1)
    return classifier(), {"x": X, "y": Y, "validation_data": VALIDATION, "callbacks": [reduce]}


def scheduled_rate():
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.8 if epoch > 1 else rate)
    return classifier(), {"x": X, "y": Y, "callbacks": [schedule]}


def decaying_rate():
    decay = keras.optimizers.schedules.CosineDecay(0.05, 30)
    return classifier(optimizer=keras.optimizers.SGD(decay, momentum=0.9)), {"x": X, "y": Y}


class Plateau(keras.callbacks.Callback):
    """Keeps what it has seen in attributes, in a generator, and behind methods of its own."""

    def __init__(self):
        super().__init__()
        self.losses, self.rng = [], np.random.default_rng(2)

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["loss"])
        rate = self.model.optimizer.learning_rate
        rate.assign(rate * (0.9 if len(self.losses) > 3 else 1.0) * self.rng.uniform(0.9, 1.1))


class Patience(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self._hidden = iter(range(1, 100))
        self._count = 0

    def get_state(self):
        return {"count": self._count}

    def set_state(self, state):
        self._count = state["count"]
        self._hidden = iter(range(self._count + 1, 100))

    def on_epoch_end(self, epoch, logs=None):
        self._count = next(self._hidden)
        self.model.optimizer.learning_rate.assign(0.01 / self._count)


def callbacks_of_the_user():
    return classifier(), {"x": X, "y": Y, "callbacks": [Plateau(), Patience()]}


def class_weights():
    return classifier(), {"x": X, "y": Y, "class_weight": {0: 0.3, 1: 2.0}}


def sample_weights():
    return classifier(), {"x": X, "y": Y, "sample_weight": np.linspace(0, 2, 200, dtype="float32")}


def steps_per_epoch():
    return classifier(), {"x": X, "y": Y, "batch_size": 8, "steps_per_epoch": 3}


def mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return classifier(layers.Dense(8, "relu"), layers.Dropout(0.2)), {"x": X, "y": Y}
    finally:
        keras.config.set_dtype_policy("float32")


def recurrent_dropout():
    return classifier(layers.LSTM(6, dropout=0.3, recurrent_dropout=0.2), shape=(5, 3)), {"x": SERIES, "y": Y[:96]}


def augmentation():
    hidden = layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomContrast(0.3), layers.Flatten()
    return classifier(*hidden, shape=(8, 8, 1)), {"x": IMAGES, "y": Y[:96]}


class Counting(layers.Layer):
    """Has a state that no optimizer knows: a weight, and a variable of TensorFlow's own."""

    def build(self, shape):
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.steps = tf.Variable(0.0, trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.seen.assign(self.seen + 1)
            self.steps.assign_add(1.0)
        return inputs * (1 + 0.01 * keras.ops.cast(self.seen, "float32")) + 0.001 * self.steps


def stateful_layer():
    return classifier(Counting(), layers.Dense(8, "relu")), {"x": X, "y": Y}


def accumulated_gradients():
    adam = keras.optimizers.Adam(0.01, gradient_accumulation_steps=4)
    return classifier(optimizer=adam), {"x": X, "y": Y, "batch_size": 30}


def averaged_weights():
    sgd = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=5)
    return classifier(optimizer=sgd), {"x": X, "y": Y}


def swapped_weights():
    sgd = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    return classifier(optimizer=sgd), {"x": X, "y": Y, "callbacks": [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]}


class Adversaries(keras.Model):
    """Two optimizers, a step of its own, and no shape before the first batch."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.drop = layers.Dense(6), layers.Dense(1), layers.Dropout(0.2)
        self.own_optimizer = keras.optimizers.Adam(0.01)

    def call(self, inputs, training=False):
        return self.second(self.drop(self.first(inputs), training=training))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean((self(x, training=True)[:, 0] - tf.cast(y, tf.float32)) ** 2)
        for optimizer, part in ((self.optimizer, self.first), (self.own_optimizer, self.second)):
            optimizer.apply(tape.gradient(loss, part.trainable_variables), part.trainable_variables)
        return {"loss": loss}


def two_optimizers():
    model = Adversaries()
    model.compile("sgd")
    return model, {"x": X, "y": Y}


SAMPLES = [
    plain,
    in_order,
    shuffled_batches,
    dropout_and_noise,
    pipeline_that_shuffles,
    pipeline_without_end,
    dataset_that_shuffles,
    early_stopping,
    reduced_on_plateau,
    scheduled_rate,
    decaying_rate,
    callbacks_of_the_user,
    class_weights,
    sample_weights,
    steps_per_epoch,
    mixed_precision,
    recurrent_dropout,
    augmentation,
    stateful_layer,
    accumulated_gradients,
    averaged_weights,
    swapped_weights,
    two_optimizers,
]
