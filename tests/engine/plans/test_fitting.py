"""Plans against bare Keras and against themselves: batches, order, repeatability, what streams, when they end."""

from __future__ import annotations

import re
import threading

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager.context import Context
from tensorflow.python.eager.context import context as eager_context

from jupyter_mltrain.domain.spec import Plan
from jupyter_mltrain.engine.plans import feed, fitting, runner
from jupyter_mltrain.engine.plans.fitting import Place, fit
from jupyter_mltrain.engine.plans.order import epoch_order, order_within_batches
from jupyter_mltrain.engine.plans.selection import Selection, select

RNG = np.random.default_rng(0)
X = RNG.normal(size=(333, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
PLANS = [Plan.BLOCK, Plan.EPOCH, Plan.EPOCH_XLA]


def classifier(*hidden):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), *hidden, layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Watcher:
    def on_plan(self, runner):
        self.runner = runner

    def on_mixed(self):
        assert self.runner.asked is Plan.AUTO

    def poll(self):
        return False


def trained(model, plan, *, seed=5, most_steps=None, is_held=True, may_switch=True, **arguments):
    watcher = Watcher()
    arguments = {"x": X, "y": Y, "epochs": 3, "callbacks": [], **arguments}
    history = fit(
        model,
        arguments,
        Selection(plan, most_steps, is_held=is_held, may_switch=may_switch),
        Place(seed=seed, phase=1, num_before=0),
        watcher,
    )
    return history.history, watcher.runner


def weights(model):
    return [variable.numpy() for variable in model.variables]


def assert_equal(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("plan", [*PLANS, Plan.AUTO])
def test_the_order_is_a_function_of_seed_phase_and_epoch(plan):
    ours = classifier()
    history, _ = trained(ours, plan)
    bare, losses = classifier(), []
    for epoch in range(3):
        rows = epoch_order(5, 1, epoch, len(X))
        losses += bare.fit(X[rows], Y[rows], shuffle=False, verbose=0).history["loss"]
    assert history["loss"] == pytest.approx(losses, rel=1e-5)
    for one, other in zip(weights(ours), weights(bare), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("epochs", "is_optimized"), [(2, False), (3, True)])
def test_a_graph_is_optimized_where_enough_steps_are_planned(monkeypatch, epochs, is_optimized):
    monkeypatch.setattr(fitting, "_FEWEST_STEPS_TO_OPTIMIZE", 33)  # three epochs
    call, seen = Context.call_function, []

    def noted(self, *arguments):
        seen.append(optimizes(self))
        return call(self, *arguments)

    def optimizes(context):
        config = config_pb2.ConfigProto.FromString(context.function_call_options.config_proto_serialized)
        return not config.graph_options.rewrite_options.disable_meta_optimizer

    monkeypatch.setattr(Context, "call_function", noted)
    trained(classifier(), Plan.EPOCH, epochs=epochs)
    assert seen.count(is_optimized) >= epochs
    assert (False in seen) is not is_optimized
    assert optimizes(eager_context())


def test_every_epoch_has_every_row_once_in_another_order():
    orders = [epoch_order(5, 1, epoch, 333).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(333)) for order in orders)
    assert len({tuple(order) for order in [*orders, epoch_order(6, 1, 0, 333).tolist(), epoch_order(5, 2, 0, 333).tolist()]}) == 5


@pytest.mark.parametrize("plan", PLANS)
def test_one_seed_gives_one_result_to_the_bit(plan):
    def result(seed):
        model = classifier(layers.Dropout(0.3), layers.BatchNormalization())
        return trained(model, plan, seed=seed, validation_data=(X[:50], Y[:50]))[0], weights(model)

    (history, first), (again, second), (other, _) = result(5), result(5), result(6)
    assert history == again != other
    assert_equal(first, second)


@pytest.mark.parametrize("plan", PLANS)
def test_data_on_disk_give_the_numbers_of_data_in_memory(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(feed, "BYTES_OF_A_BLOCK", 3 * 32 * 28)  # three batches
    path = tmp_path / "x.npy"
    np.save(path, X)
    in_memory, on_disk = classifier(), classifier()
    trained(in_memory, plan)
    trained(on_disk, plan, is_held=False, x=np.load(path, mmap_mode="r"))
    assert_equal(weights(in_memory), weights(on_disk))


@pytest.mark.parametrize("kind", [tf.constant, pd.DataFrame, np.float64])
def test_tensors_frames_and_doubles_are_gathered_as_they_are_held(kind):
    results = []
    for held in (True, False):
        arrays = feed.Arrays((kind(X), Y, None), batch_size=100, order=lambda epoch: epoch_order(1, 1, epoch, 333), held=held)
        results.append([part.numpy() for block in arrays.epoch(0) for part in block.data])
    assert_equal(*results)
    assert results[0][0].dtype == "float32"


def test_weights_for_some_outputs_alone_are_left_to_keras():
    a, b = layers.Dense(1, name="a"), layers.Dense(1, name="b")
    inputs = keras.Input((6,))
    model = keras.Model(inputs, {"a": a(inputs), "b": b(inputs)})
    model.compile("sgd", {"a": "mse", "b": "mse"})
    data = {"x": X, "y": {"a": X[:, :1], "b": X[:, 1:2]}, "sample_weight": {"a": np.ones(333), "b": None}}
    selection = select(model, data, [], asked=Plan.AUTO, has_strategy=False, is_held=True)
    assert selection.plan is Plan.KERAS
    assert selection.reason == "Plan keras: the data are sparse or ragged, or some outputs have no weights."


@pytest.mark.parametrize("batch_size", [1, 32, 111, 333, 1000])
def test_batches_of_every_size_ragged_or_not(batch_size):
    ours, bare = classifier(), classifier()
    history, _ = trained(ours, Plan.EPOCH_XLA, batch_size=batch_size, shuffle=False, epochs=2)
    expected = bare.fit(X, Y, batch_size=batch_size, shuffle=False, epochs=2, verbose=0).history
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert int(ours.optimizer.iterations) == int(bare.optimizer.iterations)


def test_shuffle_batch_leaves_every_row_in_its_batch():
    arrays = feed.Arrays((X, Y, None), batch_size=100, order=feed_order, held=True)
    batches = [batch for block in arrays.epoch(0) for batch in block.data[0].numpy()[: block.num_steps]]
    for index, batch in enumerate(batches):
        expected = X[index * 100 : (index + 1) * 100]
        assert sorted(map(tuple, batch)) == sorted(map(tuple, expected))
        assert not np.array_equal(batch, expected)


def feed_order(epoch):
    return order_within_batches(5, 1, epoch, len(X), 100)


class TestAuto:
    def test_moves_up_to_the_compiled_epoch(self):
        model = classifier()
        x = np.tile(X, (60, 1))
        history, seen = trained(model, Plan.AUTO, x=x, y=np.tile(Y, 60), epochs=60)
        assert seen.plan is Plan.EPOCH_XLA
        assert re.fullmatch(
            r"Compiled epoch \(XLA\) since epoch \d+: [\d.e-]+ ms a step, [\d.]+ times the loop's speed\.", seen.reason
        )
        assert seen.xla_seconds < seen.loop_seconds
        assert seen.is_mixed
        assert history["loss"][-1] < history["loss"][0] / 5

    def test_keeps_the_plan_where_the_numbers_must_come_again(self):
        def result():
            model = classifier(layers.Dropout(0.3))
            options = {"x": np.tile(X, (60, 1)), "y": np.tile(Y, 60), "epochs": 40, "may_switch": False}
            return trained(model, Plan.AUTO, **options)[1], weights(model)

        (seen, first), (_, second) = result(), result()
        assert (seen.plan, seen.is_mixed) == (Plan.EPOCH, False)
        assert seen.reason.endswith(" a step. With a seed the plan stays; --plan epoch-xla compiles it.")
        assert_equal(first, second)

    def test_does_not_compile_what_is_soon_over(self):
        _, seen = trained(classifier(), Plan.AUTO)
        assert seen.plan is Plan.EPOCH
        assert seen.switched_at is None

    def test_goes_back_when_the_compiled_loop_is_slower(self, monkeypatch):
        monkeypatch.setattr(runner, "_GAIN_THAT_COUNTS", 0.0)
        _, seen = trained(classifier(), Plan.AUTO, x=np.tile(X, (60, 1)), y=np.tile(Y, 60), epochs=60)
        assert (seen.plan, seen.is_mixed) == (Plan.EPOCH, True)
        assert "; compiled by XLA " in seen.reason

    def test_gives_up_no_compiled_loop_while_another_is_compiled(self, monkeypatch):
        asked = []

        def is_compiling():
            asked.append(True)
            if len(asked) == 12:
                monkeypatch.setattr(runner, "_GAIN_THAT_COUNTS", 0.95)
            return len(asked) < 12

        monkeypatch.setattr(runner, "_GAIN_THAT_COUNTS", 0.0)  # no try succeeds, as on a busy machine
        monkeypatch.setattr(runner, "is_compiling", is_compiling)
        _, seen = trained(classifier(), Plan.AUTO, x=np.tile(X, (60, 1)), y=np.tile(Y, 60), epochs=60)
        assert seen.plan is Plan.EPOCH_XLA
        assert len(asked) >= 12

    def test_a_pipeline_moves_up_too(self):
        x, y = np.tile(X, (60, 1)), np.tile(Y, 60)
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
        history, seen = trained(classifier(), Plan.AUTO, x=dataset, y=None, epochs=40)
        assert (seen.plan, seen.is_mixed) == (Plan.EPOCH_XLA, True)
        assert seen.switched_at > 1
        expected, _ = trained(classifier(), Plan.EPOCH, x=x, y=y, shuffle=False, epochs=40)
        assert history["loss"] == pytest.approx(expected["loss"], rel=1e-2)
        assert history["loss"][:2] == pytest.approx(expected["loss"][:2], rel=1e-5)
        _, seen = trained(classifier(), Plan.AUTO, x=dataset, y=None, epochs=20, may_switch=False)
        assert (seen.plan, seen.is_mixed) == (Plan.BLOCK, False)
        assert seen.reason.endswith(" a step. With a seed the plan stays; --plan epoch-xla compiles it.")

    def test_stays_with_the_loop_where_xla_cannot_compile(self):
        lookup = layers.StringLookup(vocabulary=["a", "b"])
        words = np.array(["a", "b", "c"] * 111)
        inputs = keras.Input((), dtype="string")
        model = keras.Model(inputs, layers.Dense(2, "softmax")(layers.Embedding(4, 3)(lookup(inputs))))
        model.compile("adam", "sparse_categorical_crossentropy")
        history, seen = trained(model, Plan.EPOCH_XLA, x=tf.constant(words), y=Y)
        assert seen.plan is Plan.EPOCH
        assert seen.reason.startswith("Epoch in one loop: XLA could not compile it (")
        assert history["loss"][-1] < history["loss"][0]


class TestCallbacks:
    def test_batch_hooks_are_called_for_every_step_where_that_was_chosen(self):
        seen = []
        callback = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: seen.append(batch),
            on_train_batch_end=lambda batch, logs: seen.append((batch, round(logs["loss"], 4))),
        )
        trained(classifier(), Plan.BLOCK, most_steps=1, shuffle=False, epochs=1, callbacks=[callback])
        bare = []
        callback = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: bare.append(batch),
            on_train_batch_end=lambda batch, logs: bare.append((batch, round(logs["loss"], 4))),
        )
        classifier().fit(X, Y, shuffle=False, verbose=0, callbacks=[callback])
        assert seen == bare

    def test_epoch_hooks_see_what_keras_shows_them(self):
        def record(seen):
            return keras.callbacks.LambdaCallback(
                on_train_begin=lambda logs: seen.append("begin"),
                on_epoch_begin=lambda epoch, logs: seen.append(epoch),
                on_epoch_end=lambda epoch, logs: seen.append((epoch, {name: round(logs[name], 4) for name in sorted(logs)})),
                on_train_end=lambda logs: seen.append(sorted(logs)),
            )

        ours, bare = [], []
        options = {"shuffle": False, "validation_split": 0.2, "validation_freq": 2, "epochs": 5, "initial_epoch": 1}
        trained(classifier(), Plan.EPOCH, callbacks=[record(ours)], **options)
        classifier().fit(X, Y, verbose=0, callbacks=[record(bare)], **options)
        assert ours == bare

    def test_a_callback_ends_the_training_in_the_middle_of_an_epoch(self):
        stopping = threading.Event()

        class Stop(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                self.model.stop_training = stopping.is_set()

        threading.Timer(0.3, stopping.set).start()
        model = classifier()
        x = np.tile(X, (3000, 1))
        trained(model, Plan.EPOCH, x=x, y=np.tile(Y, 3000), batch_size=4, epochs=1, callbacks=[Stop()])
        assert 0 < int(model.optimizer.iterations) < len(x) // 4


def test_a_dataset_of_unknown_length_that_ends():
    def numbers():
        for row in range(0, 320, 32):
            yield X[row : row + 32], Y[row : row + 32]

    spec = (tf.TensorSpec((None, 6), tf.float32), tf.TensorSpec((None,), tf.int32))
    dataset = tf.data.Dataset.from_generator(numbers, output_signature=spec)
    ours, bare = classifier(), classifier()
    history, seen = trained(ours, Plan.AUTO, x=dataset, y=None)
    assert seen.plan is Plan.BLOCK
    # Keras itself counts an eleventh step an epoch here, without data; its numbers for the same rows as arrays are right.
    expected = bare.fit(X[:320], Y[:320], shuffle=False, epochs=3, verbose=0).history["loss"]
    assert history["loss"] == pytest.approx(expected, rel=1e-5)
    assert int(ours.optimizer.iterations) == 30


@pytest.mark.parametrize("plan", [Plan.AUTO, Plan.EPOCH_XLA])
@pytest.mark.parametrize("steps", [None, 4, 11])
def test_a_dataset_that_shuffles_anew_keeps_the_orders_it_has_in_keras(steps, plan):
    def history(fit):
        tf.random.set_seed(1)
        dataset = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(333, seed=2).batch(32)
        return fit(dataset.repeat() if steps == 4 else dataset)

    expected = history(lambda data: classifier().fit(data, epochs=4, steps_per_epoch=steps, verbose=0).history)
    ours = history(lambda data: trained(classifier(), plan, x=data, y=None, epochs=4, steps_per_epoch=steps)[0])
    assert ours["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_a_dataset_with_too_few_batches_for_an_epoch_says_so():
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(32)
    with pytest.warns(UserWarning, match="expected data for 20 steps an epoch, received 11"):
        history, _ = trained(classifier(), Plan.AUTO, x=dataset, y=None, steps_per_epoch=20, epochs=2)
    assert len(history["loss"]) == 2
