import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from jupyter_mltrain.domain.events import TrainControl
from jupyter_mltrain.domain.spec import CellOutcome, Plan, TrainSpec
from jupyter_mltrain.engine import devices
from jupyter_mltrain.engine.interrupts import Interrupts
from jupyter_mltrain.engine.job import Job
from jupyter_mltrain.engine.plans import program as programs_module
from jupyter_mltrain.engine.plans import sharing
from jupyter_mltrain.engine.plans.sharing import Programs, _making
from jupyter_mltrain.engine.trainer import train_once

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def net(*, lr=0.01, rate=0.3, units=8, activation="relu", loss="sparse_categorical_crossentropy", own_optimizer=False, **options):
    hidden = [layers.Dense(units, activation), layers.Dropout(rate), layers.BatchNormalization(), layers.Dense(2, "softmax")]
    model = keras.Sequential([keras.Input((6,)), *hidden])
    optimizer = OwnOptimizer if own_optimizer else keras.optimizers.Adam
    model.compile(optimizer(lr, **options), loss, metrics=["accuracy"])
    return model


class Body:
    source, lacks_hp = "", False

    def __init__(self, settings, batch_size, make=net):
        self.settings, self.batch_size, self.make = settings, batch_size, make

    def run(self, hp=None):
        self.model = self.make(**self.settings)
        self.history = self.model.fit(X, Y, epochs=3, batch_size=self.batch_size, validation_split=0.2)
        return CellOutcome()


def trained(settings, programs, *, plan=Plan.AUTO, batch_size=16, make=net, **options):
    """Train; by default with a seed, so that `auto` compiles nothing."""
    body = Body(settings, batch_size, make)
    with Interrupts() as interrupts:
        job = Job(folder=None, on_event=lambda _: None, control=TrainControl(), interrupts=interrupts, programs=programs)
        body.outcome = train_once(TrainSpec(**{"seed": 3, "plan": plan, **options}), body, job, devices.devices())
    return body


@pytest.mark.parametrize(
    ("plan", "batch_size"),  # of 120 rows: a ragged last batch, and none
    [(Plan.AUTO, 16), (Plan.AUTO, 40), (Plan.EPOCH_XLA, 40)],
)
def test_a_kept_program_gives_the_numbers_of_an_own_one(plan, batch_size):
    programs = Programs()
    for settings in ({"lr": 0.01, "rate": 0.2}, {"lr": 0.05, "rate": 0.6}, {"lr": 0.003, "rate": 0.2}):
        kept, own = (trained(settings, each, plan=plan, batch_size=batch_size) for each in (programs, Programs()))
        tolerance = 0 if plan is Plan.AUTO else 1e-6
        for ours, theirs in zip(kept.model.get_weights(), own.model.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
        assert kept.history.history["val_accuracy"] == own.history.history["val_accuracy"]
        assert len(programs._kept) == 2  # one to train, one to validate
        assert int(kept.model.optimizer.iterations) == 3 * -(-120 // batch_size)


def test_xla_compiles_once_for_models_that_are_made_alike(monkeypatch):
    compiled = []
    original = programs_module.Compilation._compile
    monkeypatch.setattr(
        programs_module.Compilation, "_compile", lambda self, *arguments: (compiled.append(1), original(self, *arguments))
    )
    programs = Programs()
    trained({"lr": 0.01}, programs, plan=Plan.EPOCH_XLA, batch_size=40)
    once = len(compiled)
    trained({"lr": 0.02, "rate": 0.5}, programs, plan=Plan.EPOCH_XLA, batch_size=40)
    assert len(compiled) == once == 2
    trained({"units": 9}, programs, plan=Plan.EPOCH_XLA, batch_size=40)
    assert len(compiled) == 4


def test_a_model_that_was_compiled_anew_is_no_pattern_for_the_next(monkeypatch):
    def fine_tuned(body, hp=None):
        body.model = net()
        for first_is_trained in (False, True):
            body.model.layers[0].trainable = first_is_trained
            body.model.compile("adam", "sparse_categorical_crossentropy")
            body.history = body.model.fit(X, Y, epochs=2, batch_size=50)
        return CellOutcome()

    monkeypatch.setattr(Body, "run", fine_tuned)
    programs = Programs()
    trained({}, programs, plan=Plan.BLOCK)
    kept, own = (trained({}, each, plan=Plan.EPOCH_XLA) for each in (programs, Programs()))
    for ours, theirs in zip(kept.model.get_weights(), own.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_what_a_layer_has_learned_of_the_data_is_not_taken_from_another_model():
    def normalized(scale):
        normalization = layers.Normalization()
        normalization.adapt(X * scale)
        return with_layer(normalization)

    programs = Programs()
    trained({"scale": 1}, programs, make=normalized)
    after = trained({"scale": 100}, programs, make=normalized).history.history["loss"]
    assert after == trained({"scale": 100}, Programs(), make=normalized).history.history["loss"]


def test_what_was_compiled_for_a_training_does_the_next_from_its_first_epoch():
    programs = Programs()
    trained({}, programs, plan=Plan.EPOCH_XLA, batch_size=4)
    facts = trained({"lr": 0.02}, programs, batch_size=4, epochs=60, seed=None).outcome.result
    assert "since epoch 1:" in facts.plan_reason


def test_large_models_are_not_kept(monkeypatch):
    programs = Programs()
    trained({"units": 2}, programs)
    one_to_train, one_to_validate = programs._kept.values()
    monkeypatch.setattr(sharing, "_MOST_BYTES", one_to_train.size + one_to_validate.size)
    trained({"units": 2, "activation": "tanh"}, programs)
    assert len(programs._kept) == 2
    trained({"units": 200}, programs)
    assert not programs._kept


def call(self, inputs):
    return inputs * 2


def test_a_training_takes_what_one_before_it_has_traced(monkeypatch):
    traced = []
    original = programs_module.Program.__init__

    def make(self, *arguments, **options):
        traced.append(1)
        original(self, *arguments, **options)

    monkeypatch.setattr(programs_module.Program, "__init__", make)
    trained({"units": 37}, None)
    trained({"units": 37, "lr": 0.5}, None)
    assert len(traced) == 2  # to train and to validate
    sharing.IN_THIS_PROCESS.forget()
    trained({"units": 37}, None)
    assert len(traced) == 4


@keras.saving.register_keras_serializable(package="mine")
class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred, -1)


class OwnRegularizer(keras.regularizers.L2):
    def __call__(self, x):
        return 2 * super().__call__(x)


class OwnOptimizer(keras.optimizers.Adam):
    pass


class Own(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2


def named(activation):
    """Return a model with a layer that is called like what it does."""
    return with_layer(layers.Dense(8, activation, name=activation))


def with_frozen_kernel():
    model = net()
    model.layers[0].kernel.trainable = False
    return model


def frozen():
    model = net()
    model.layers[0].trainable = False
    return model


def with_layer(layer):
    model = keras.Sequential([keras.Input((6,)), layer, layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def patched(method):
    model = net()
    setattr(model, method, getattr(model, method))
    return model


SPEC = tf.TensorSpec((16, 6))


@pytest.mark.parametrize(
    "other",
    [
        lambda: net(units=9),
        lambda: net(activation="tanh"),
        lambda: named("tanh"),
        with_frozen_kernel,
        lambda: net(rate=0.0),
        lambda: net(beta_1=0.8),
        lambda: net(lr=keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)),
        lambda: net(clipnorm=1.0),
        lambda: net(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=0)),
        frozen,
    ],
)
def test_what_makes_another_program(other):
    assert _making(net(), "train", SPEC) == _making(net(lr=0.5, rate=0.1), "train", SPEC)
    assert _making(other(), "train", SPEC) not in (None, _making(net(), "train", SPEC), _making(named("relu"), "train", SPEC))


@pytest.mark.parametrize(
    "model",
    [
        lambda: with_layer(Own()),
        lambda: with_layer(layers.Lambda(lambda inputs: inputs * 2)),
        lambda: net(loss=lambda targets, outputs: keras.ops.mean(outputs)),
        lambda: net(loss=OwnLoss()),
        lambda: net(own_optimizer=True),
        lambda: with_layer(layers.Dense(2, kernel_regularizer=OwnRegularizer())),
        lambda: with_layer(layers.Normalization()),
        lambda: patched("train_step"),
        lambda: patched("compute_loss"),
        lambda: type("Mine", (keras.Sequential,), {})([keras.Input((6,)), layers.Dense(2)]),
    ],
)
def test_what_has_its_own(model):
    assert _making(model(), "train", SPEC) is None


def test_what_is_named_by_the_user_has_its_own():
    with keras.saving.custom_object_scope({"mine": lambda targets, outputs: keras.ops.mean(outputs)}):
        assert _making(net(loss="mine"), "train", SPEC) is None


def test_precision_makes_another_program():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = _making(net(), "train", SPEC)
    finally:
        keras.config.set_dtype_policy("float32")
    assert mixed not in (None, _making(net(), "train", SPEC))
