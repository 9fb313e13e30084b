"""Cells as people write them, over the data of `DATA`; and data and a model that train in a moment, `TINY`."""

from __future__ import annotations

TINY = """
import keras, numpy as np
from keras import layers
keras.utils.set_random_seed(7)
x = np.random.default_rng(7).normal(size=(32, 2)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
def net(width=4):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(width, "relu"), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""

DATA = """
import numpy as np, keras, tensorflow as tf
from keras import layers
keras.backend.clear_session()
rng = np.random.default_rng(0)
x = rng.normal(size=(230, 6)).astype("float32")
y = (x[:, 0] * x[:, 1] > 0).astype("int32")
z = x.sum(axis=1, keepdims=True)
def classifier(**options):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(2, "softmax")], **options)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""

CELLS = {
    "dropout, batch normalization, shuffling, validation": """
        model = keras.Sequential([keras.Input((6,)), layers.Dense(16, "relu"), layers.BatchNormalization(),
                                  layers.Dropout(0.3), layers.GaussianNoise(0.1), layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, epochs=3, validation_split=0.2)
    """,
    "two inputs, two outputs, as dicts, with class and sample weights": """
        a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
        h = layers.Dense(8, "relu")(layers.Concatenate()([a, b]))
        model = keras.Model({"a": a, "b": b}, {"kind": layers.Dense(2, "softmax", name="kind")(h), "sum": layers.Dense(1, name="sum")(h)})
        model.compile("adam", {"kind": "sparse_categorical_crossentropy", "sum": "mse"}, metrics={"kind": ["accuracy"]})
        history = model.fit({"a": x[:, :3], "b": x[:, 3:]}, {"kind": y, "sum": z}, epochs=2,
                            sample_weight={"kind": np.linspace(0, 1, 230), "sum": np.ones(230)})
    """,
    "class weights": """
        model = classifier()
        history = model.fit(x, y, epochs=2, class_weight={0: 1.0, 1: 3.0}, batch_size=50)
    """,
    "tf.data, infinite, with steps": """
        model = classifier()
        stream = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(32)
        history = model.fit(stream, epochs=2, steps_per_epoch=5, validation_data=stream, validation_steps=2)
    """,
    "PyDataset": """
        class Batches(keras.utils.PyDataset):
            def __len__(self): return 7
            def __getitem__(self, i): return x[i * 32:(i + 1) * 32], y[i * 32:(i + 1) * 32]
        model = classifier()
        history = model.fit(Batches(), epochs=2, shuffle=False)
    """,
    "a Python generator": """
        def batches():
            while True:
                for i in range(7):
                    yield x[i * 32:(i + 1) * 32], y[i * 32:(i + 1) * 32]
        model = classifier()
        history = model.fit(batches(), steps_per_epoch=7, epochs=2)
    """,
    "the user's callbacks, of batches and epochs": """
        seen = []
        class Seen(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None): seen.append((batch, logs["loss"]))
            def on_epoch_end(self, epoch, logs=None): seen.append((epoch, logs["val_loss"]))
        model = classifier()
        history = model.fit(x, y, epochs=4, validation_split=0.3, callbacks=[Seen(), keras.callbacks.EarlyStopping(patience=1),
                            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)])
    """,
    "custom loss and metric": """
        def loss(y_true, y_pred): return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 1.5, axis=-1)
        class Largest(keras.metrics.Metric):
            def __init__(self, **options):
                super().__init__(**options)
                self.value = self.add_weight(initializer="zeros")
            def update_state(self, y_true, y_pred, sample_weight=None):
                self.value.assign(keras.ops.maximum(self.value, keras.ops.max(keras.ops.abs(y_true - y_pred))))
            def result(self): return self.value
        model = keras.Sequential([layers.Dense(8, "tanh"), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.05, 14), momentum=0.9), loss, metrics=[Largest()])
        history = model.fit(x, z, epochs=2)
    """,
    "custom train_step and test_step, subclassed, unbuilt": """
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense, self.seen = layers.Dense(1), keras.metrics.Mean(name="own_loss")
            def call(self, inputs): return self.dense(inputs)
            @property
            def metrics(self): return [self.seen]
            def train_step(self, data):
                inputs, targets = data
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean((self(inputs, training=True) - targets) ** 2)
                self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights))
                self.seen.update_state(loss)
                return {"own_loss": self.seen.result()}
            def test_step(self, data):
                self.seen.update_state(tf.reduce_mean((self(data[0]) - data[1]) ** 2))
                return {"own_loss": self.seen.result()}
        model = Own()
        model.compile("adam")
        history = model.fit(x, z, epochs=2, validation_data=(x, z))
    """,
    "add_loss, regularization, a preprocessing layer": """
        class Penalty(layers.Layer):
            def call(self, inputs):
                self.add_loss(0.01 * keras.ops.mean(inputs ** 2))
                return inputs
        scale = layers.Normalization()
        scale.adapt(x)
        model = keras.Sequential([keras.Input((6,)), scale, Penalty(), layers.Dense(8, "relu", kernel_regularizer="l2"), layers.Dense(1)])
        model.compile("rmsprop", "mse")
        history = model.fit(x, z, epochs=2)
    """,
    "a FeatureSpace pipeline": """
        rows = {"age": x[:, 0], "kind": np.where(y == 0, "a", "b")}
        space = keras.utils.FeatureSpace({"age": "float_normalized", "kind": "string_categorical"}, output_mode="concat")
        data = tf.data.Dataset.from_tensor_slices((rows, z)).batch(32)
        space.adapt(data.map(lambda row, target: row))
        model = keras.Model(space.get_inputs(), layers.Dense(1)(space.get_encoded_features()))
        model.compile("adam", "mse")
        history = model.fit(data, epochs=2)
    """,
    "mixed precision set by the user": """
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(1, dtype="float32")])
        keras.config.set_dtype_policy("float32")
        model.compile("adam", "mse")
        history = model.fit(x, z, epochs=2)
    """,
    "a GAN with two optimizers": """
        class GAN(keras.Model):
            def __init__(self):
                super().__init__()
                self.generator = keras.Sequential([keras.Input((2,)), layers.Dense(6)])
                self.discriminator = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(1)])
                self.seeds = keras.random.SeedGenerator(5)
            def compile(self, d_optimizer, g_optimizer):
                super().compile()
                self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
                self.distance = keras.losses.BinaryCrossentropy(from_logits=True)
            def train_step(self, real):
                noise = keras.random.normal((tf.shape(real)[0], 2), seed=self.seeds)
                with tf.GradientTape() as d_tape, tf.GradientTape() as g_tape:
                    made, true = self.discriminator(self.generator(noise)), self.discriminator(real)
                    d_loss = self.distance(tf.ones_like(true), true) + self.distance(tf.zeros_like(made), made)
                    g_loss = self.distance(tf.ones_like(made), made)
                for tape, loss, part, optimizer in ((d_tape, d_loss, self.discriminator, self.d_optimizer),
                                                    (g_tape, g_loss, self.generator, self.g_optimizer)):
                    optimizer.apply_gradients(zip(tape.gradient(loss, part.trainable_weights), part.trainable_weights))
                return {"d_loss": d_loss, "g_loss": g_loss}
        model = GAN()
        model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
        history = model.fit(x, epochs=2)
    """,
    "a VAE": """
        class VAE(keras.Model):
            def __init__(self):
                super().__init__()
                self.encoder, self.decoder = layers.Dense(4), layers.Dense(6)
                self.seeds = keras.random.SeedGenerator(5)
            def train_step(self, data):
                with tf.GradientTape() as tape:
                    mean, log_var = keras.ops.split(self.encoder(data), 2, axis=-1)
                    code = mean + keras.ops.exp(0.5 * log_var) * keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
                    loss = keras.ops.mean((self.decoder(code) - data) ** 2) + keras.ops.mean(keras.ops.exp(log_var) + mean ** 2 - log_var)
                self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights))
                return {"loss": loss}
        model = VAE()
        model.compile("adam")
        history = model.fit(x, epochs=2)
    """,
    "two phases: train with a frozen layer, then fine-tune": """
        model = classifier()
        model.layers[0].trainable = False
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2)
        model.layers[0].trainable = True
        model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
        history = model.fit(x, y, epochs=3, initial_epoch=1)
    """,
    "a class that overrides fit": """
        class Own(keras.Sequential):
            def fit(self, *args, **options):
                return super().fit(*args, **{"epochs": 2, **options})
        model = Own([keras.Input((6,)), layers.Dense(1)])
        model.compile("adamw", "mse")
        history = model.fit(x, z)
    """,
    "a class whose fit is a loop of its own": """
        class Loop(keras.Sequential):
            def fit(self, inputs, targets, epochs):
                history = {"loss": []}
                for _ in range(epochs):
                    with tf.GradientTape() as tape:
                        loss = tf.reduce_mean((self(inputs) - targets) ** 2)
                    self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
                    history["loss"].append(float(loss))
                return type("Seen", (), {"history": history})()
        model = Loop([keras.Input((6,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        history = model.fit(x, z, epochs=3)
    """,
    "a schedule, metrics with state, a checkpoint, a ragged batch, batch by batch shuffled": """
        model = keras.Sequential([keras.Input((6,)), layers.Dense(1, "sigmoid")])
        rate = keras.optimizers.schedules.CosineDecay(0.1, 20)
        model.compile(keras.optimizers.SGD(rate, momentum=0.9), "binary_crossentropy",
                      metrics=[keras.metrics.AUC(), keras.metrics.Precision(), keras.metrics.F1Score(threshold=0.5)])
        history = model.fit(x, (z > 0).astype("float32"), epochs=3, batch_size=50, validation_split=0.3, validation_freq=2, shuffle="batch")
    """,
    "callbacks that change the learning rate and end the training": """
        model = classifier()
        changing = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
                    keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=10),
                    keras.callbacks.EarlyStopping(monitor="loss", patience=2, min_delta=10, restore_best_weights=True),
                    keras.callbacks.TerminateOnNaN()]
        history = model.fit(x, y, epochs=9, callbacks=changing)
    """,
    "several steps an execution, gradient accumulation, moving average": """
        model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
        model.compile(keras.optimizers.Adam(gradient_accumulation_steps=2, use_ema=True), "mse", steps_per_execution=3)
        history = model.fit(x, z, epochs=2)
    """,
}
