"""`%%train --dry-run` through a real shell: what it tells, that it changes nothing, and what has no room."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from jupyter_mltrain.domain.errors import DataError, ModelError, TooLargeError
from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.engine import room

DATA = """
import numpy as np, keras, tensorflow as tf
from keras import layers
keras.backend.clear_session()
rng = np.random.default_rng(0)
x = rng.normal(size=(230, 6)).astype("float32")
y = (x[:, 0] * x[:, 1] > 0).astype("int32")
def net(*hidden, optimizer="adam"):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), *hidden, layers.Dense(2, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
WEIGHTS = 6 * 8 + 8 + 8 * 2 + 2


@pytest.fixture
def cells(notebook):
    return notebook.run(DATA)


def values(cells, name="model"):
    model = cells[name]
    return [variable.numpy() for variable in (*model.variables, *model.metrics_variables, *model.optimizer.variables)]


def assert_equal(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


class TestWhatItTells:
    def test_parameters_memory_steps_plan_and_time(self, cells):
        cells.run("%%train --dry-run --epochs 7 --plan epoch\nmodel = net()\nmodel.fit(x, y, batch_size=50)\nreached = True")
        estimate = cells["estimate"]
        assert (estimate.num_trainable, estimate.num_frozen) == (WEIGHTS, 0)
        assert (estimate.batch_size, estimate.num_steps, estimate.epochs) == (50, 5, 7)
        assert (estimate.weights, estimate.gradients) == (4 * WEIGHTS, 4 * WEIGHTS)
        assert estimate.optimizer == 2 * 4 * WEIGHTS + 8 + 4  # two moments, the count of iterations, the rate
        assert estimate.activations > 4 * 50 * (8 + 2)
        assert estimate.data == 3 * 230 * (6 + 1) * 4  # held, and two blocks
        assert estimate.memory == sum(
            (2 * estimate.weights, estimate.gradients, estimate.optimizer, estimate.activations, estimate.data)
        )
        assert estimate.fits
        assert estimate.plan == "epoch"
        assert estimate.epoch_seconds == 5 * estimate.step_seconds
        assert "sequential: 74 parameters, all of them trained\n" in cells.text
        assert "5 steps of 50 rows an epoch, 7 epochs.\nPlan epoch. Epoch in one loop: " in cells.text
        assert "reached" not in cells.shell.user_ns

    def test_nothing_is_recorded_and_no_run_is_left(self, cells):
        cells.run("%%train --dry-run --register net --as needs\nmodel = net(); model.fit(x, y)")
        assert isinstance(cells["needs"], Estimate)
        assert not {"run", "estimate"} & cells.shell.user_ns.keys()
        assert not cells.home.exists()

    def test_it_looks_the_same_as_the_value_of_a_cell(self, cells):
        cells.run("%%train --dry-run\nmodel = net(); model.fit(x, y)")
        shown = cells.text
        assert cells.run("estimate").stdout.partition("\n")[2].strip("\n") == shown
        assert cells.run("[estimate]").stdout.endswith("[<Estimate of sequential>]\n")

    def test_a_model_that_the_cell_builds_with_data_of_the_line(self, cells):
        cells.run("%%train --dry-run --data x, y --val x, y\nmodel = keras.Sequential([layers.Dense(2, 'softmax')])")
        assert cells["estimate"].num_trainable == 14
        assert "the targets are whole numbers, the model has 2 outputs" in cells.text
        assert cells["estimate"].epoch_seconds > 8 * cells["estimate"].step_seconds  # the validation is in it
        assert not cells["model"].compiled

    def test_frozen_layers_need_no_gradients(self, cells):
        cells.run("first = net(); first.layers[0].trainable = False; first.compile('sgd', 'sparse_categorical_crossentropy')")
        cells.run("%%train --dry-run\nfirst.fit(x, y)")
        estimate = cells["estimate"]
        assert (estimate.num_trainable, estimate.num_frozen) == (18, 56)
        assert (estimate.gradients, estimate.optimizer) == (4 * 18, 8 + 4)

    @pytest.mark.parametrize("plan", ["keras", "block", "epoch-xla"])
    def test_each_plan_is_timed(self, cells, plan):
        cells.run(f"%%train --dry-run --plan {plan} --epochs 3\nmodel = net(); model.fit(x, y)")
        assert cells["estimate"].plan == plan
        assert cells["estimate"].step_seconds > 0

    def test_what_cannot_be_tried_without_using_it_up_is_said(self, cells):
        cells.run(
            "count = 0\ndef batches():\n    global count\n    while True:\n        count += 1\n        yield x[:32], y[:32]"
        )
        cells.run("%%train --dry-run\nmodel = net(); model.fit(batches(), steps_per_epoch=5)")
        assert cells["count"] == 0
        assert (cells["estimate"].num_steps, cells["estimate"].activations, cells["estimate"].step_seconds) == (5, None, None)
        assert "No step was tried: generator gives its batches in an order of its own" in cells.text

    def test_a_dataset_of_python_is_looked_at_and_not_gone_through(self, cells):
        cells.run("""
            class Batches(keras.utils.PyDataset):
                order, epochs = list(range(7)), 0
                def __len__(self): return 7
                def __getitem__(self, i): return x[:32], y[:32]
                def on_epoch_end(self): Batches.epochs += 1
        """)
        cells.run("%%train --dry-run\nmodel = net(); model.fit(Batches())")
        assert (cells["estimate"].batch_size, cells["estimate"].num_steps) == (32, 7)
        assert cells["estimate"].activations > 4 * 32 * 10
        assert cells["Batches"].epochs == 0

    def test_what_would_fail_fails_in_the_dry_run(self, cells):
        assert isinstance(cells.try_run("%%train --dry-run\nmodel = net(); model.fit(x[:, :3], y)").error, DataError)
        assert isinstance(cells.try_run("%%train --dry-run\nraise OSError").error, OSError)
        assert isinstance(cells.try_run("%%train --dry-run\nmodel = net()").error, ModelError)

    def test_a_fit_of_ones_own_is_followed_to_keras(self, cells):
        cells.run("""
            class Told(keras.Model):
                def fit(self, *args, **options): return super().fit(*args, **options, batch_size=23)
            inputs = keras.Input((6,))
        """)
        cells.run(
            "%%train --dry-run\nmodel = Told(inputs, layers.Dense(1)(inputs)); model.compile('sgd', 'mse'); model.fit(x, y)"
        )
        assert cells["estimate"].num_steps == 10

    def test_a_loop_of_ones_own_is_refused_and_not_run(self, cells):
        cells.run("""
            class Own(keras.Model):
                def fit(self, x, y): self.train_on_batch(x, y)
            inputs = keras.Input((6,))
        """)
        cells.try_run(
            "%%train --dry-run\nmodel = Own(inputs, layers.Dense(1)(inputs)); model.compile('sgd', 'mse'); model.fit(x, y)"
        )
        assert isinstance(cells.error, ModelError)
        assert "Own.fit, which has its own loop" in str(cells.error)
        assert cells["model"].optimizer.iterations == 0


NETS = {
    "dropout and batch normalization": "model = net(layers.BatchNormalization(), layers.Dropout(0.3)); model.fit(x, y, epochs=2)",
    "an unbuilt one": (
        "model = keras.Sequential([layers.Dense(8, 'relu'), layers.Dropout(0.3), layers.Dense(2)])\n"
        "model.compile('rmsprop', 'mse'); model.fit(x, x[:, :2], epochs=2, validation_split=0.2)"
    ),
    "data drawn in the cell": (
        "model = net(); rows = np.random.permutation(230)\n"
        "model.fit(x[rows] + tf.random.normal(x.shape).numpy() + keras.random.normal(x.shape), y[rows], epochs=2)"
    ),
    "a pipeline": "model = net(); model.fit(tf.data.Dataset.from_tensor_slices((x, y)).shuffle(230).batch(32), epochs=2)",
}


class TestNothingChanges:
    @pytest.mark.parametrize(
        ("net", "plan"),
        [(net, "keras") for net in NETS] + [("dropout and batch normalization", "epoch"), ("a pipeline", "block")],
    )
    def test_the_same_cell_gives_the_same_weights_after_a_dry_run(self, cells, net, plan):
        body = NETS[net]
        seed = "keras.backend.clear_session(); keras.utils.set_random_seed(5)"
        cells.run(seed).run(f"%%train --no-track --plan {plan}\n{body}")
        without = values(cells)
        cells.run(seed).run(f"%%train --dry-run\n{body}").run(f"%%train --no-track --plan {plan}\n{body}")
        assert_equal(values(cells), without)

    def test_the_same_line_gives_the_same_weights_after_a_dry_run_of_another_seed(self, cells):
        body = NETS["dropout and batch normalization"]
        cells.run(f"%%train --no-track --plan keras --seed 1\n{body}")
        without = values(cells)
        cells.run(f"%%train --dry-run --seed 2\n{body}").run(f"%%train --no-track --plan keras --seed 1\n{body}")
        assert_equal(values(cells), without)

    @pytest.mark.parametrize("plan", ["keras", "block", "epoch-xla"])
    def test_a_trained_model_is_as_it_was(self, cells, plan):
        cells.run("model = net(layers.BatchNormalization(), layers.Dropout(0.3)); history = model.fit(x, y, verbose=0)")
        model, before = cells["model"], values(cells)
        parts = (model.optimizer, model.train_function, model.history, model.loss)
        cells.run(f"%%train --dry-run --plan {plan} --lr 0.5 --dropout 0.1 --l2 0.2\nmodel.fit(x, y, validation_data=(x, y))")
        assert_equal(values(cells), before)
        assert all(
            now is then
            for now, then in zip((model.optimizer, model.train_function, model.history, model.loss), parts, strict=True)
        )
        assert model.layers[2].rate == 0.3
        assert not model.losses
        cells.run("%%train --dry-run --optimizer sgd --loss cross-entropy --metrics accuracy\nmodel.fit(x, y)")
        assert_equal(values(cells), before)
        assert (model.optimizer, model.loss) == (parts[0], "sparse_categorical_crossentropy")

    def test_an_optimizer_made_before_is_still_open_for_any_model(self, cells):
        cells.run("optimizer = keras.optimizers.Adam(0.25)")
        cells.run("%%train --dry-run\nmodel = net(optimizer=optimizer); model.fit(x, y)")
        assert not cells["optimizer"].built
        assert cells["model"].optimizer is cells["optimizer"]
        cells.run("%%train --no-track\nmodel = net(optimizer=optimizer); model.fit(x, y)")
        assert cells["optimizer"].iterations == 8

    def test_two_optimizers_of_a_train_step_of_ones_own(self, cells):
        cells.run("""
            class Two(keras.Model):
                def __init__(self, first, second):
                    super().__init__()
                    self.a, self.b, self.first, self.second = layers.Dense(4), layers.Dense(1), first, second
                    self.count = tf.Variable(0)
                def call(self, x): return self.b(self.a(x))
                def train_step(self, data):
                    with tf.GradientTape(persistent=True) as tape:
                        loss = tf.reduce_mean(self(data[0]) ** 2)
                    self.first.apply_gradients([(tape.gradient(loss, w), w) for w in self.a.trainable_weights])
                    self.second.apply_gradients([(tape.gradient(loss, w), w) for w in self.b.trainable_weights])
                    self.count.assign_add(1)
                    return {"loss": loss}
            first, second = keras.optimizers.Adam(), keras.optimizers.SGD(momentum=0.9)
        """)
        cells.run("%%train --dry-run\nmodel = Two(first, second); model.compile(); model.fit(x, y)")
        assert cells["estimate"].optimizer == 2 * 4 * 28 + 4 * 5 + 2 * 12
        assert (cells["first"].built, cells["second"].built, int(cells["model"].count)) == (False, False, 0)
        cells.run("%%train --no-track\nmodel = Two(first, second); model.compile(); model.fit(x, y)")
        assert int(cells["model"].count) == 8

    def test_the_order_of_a_pipeline_made_before_does_not_move_on(self, cells):
        made = """
            keras.utils.set_random_seed(5)
            flip = layers.RandomFlip()
            data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(230).batch(32)
            data = data.map(lambda rows, kinds: (flip(rows[..., None, None], training=True)[..., 0, 0], kinds))
        """
        look = "first = next(iter(data))[0].numpy(); seed = flip.generator.state.numpy() if hasattr(flip, 'generator') else 0"
        cells.run(made).run(look)
        first = cells["first"]
        cells.run(made).run("%%train --dry-run\nmodel = net(); model.fit(data, validation_data=data)").run(look)
        assert cells["estimate"].step_seconds > 0
        np.testing.assert_array_equal(cells["first"], first)

    def test_the_users_callbacks_are_not_called(self, cells):
        cells.run("called = []\nlog = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: called.append(1))")
        cells.run("%%train --dry-run\nmodel = net(); model.fit(x, y, callbacks=[log])")
        assert cells["called"] == []


class TestWhatHasNoRoom:
    HUGE = "layers.Dense(10**7)"  # after one of its kind 400 TB, more than a machine has

    @pytest.mark.parametrize("options", ["--no-track", "--dry-run"])
    def test_a_layer_that_the_cell_builds(self, cells, options):
        cells.try_run(f"%%train {options}\nmodel = keras.Sequential([keras.Input((10**7,)), {self.HUGE}])")
        assert isinstance(cells.error, TooLargeError)
        assert "received sequential/dense/kernel of shape (10000000, 10000000), which needs 400000.0 GB: make" in str(cells.error)

    @pytest.mark.parametrize("options", ["--no-track", "--dry-run"])
    def test_a_model_that_its_first_step_builds(self, cells, options):
        body = f"model = keras.Sequential([{self.HUGE}, {self.HUGE}]); model.compile('adam', 'mse'); model.fit(x, y)"
        cells.try_run(f"%%train {options}\n{body}")
        assert isinstance(cells.error, TooLargeError)
        assert cells["model"].optimizer.iterations == 0

    def test_all_of_an_unbuilt_model_counts_before_any_of_it_is_made(self, cells, monkeypatch):
        monkeypatch.setattr(room, "_WORTH_A_LOOK", 0)
        monkeypatch.setattr(room, "most_memory", lambda devices: 6000)  # enough for each variable
        cells.try_run(
            "%%train --dry-run\nmodel = keras.Sequential([layers.Dense(30), layers.Dense(30), layers.Dense(1)])\n"
            "model.compile('adam', 'mse'); model.fit(x, y)"
        )
        needed = 4 * (6 * 30 + 30 + 30 * 30 + 30 + 30 + 1)
        assert f"which needs {(3 * needed + 4 * 30 * 30) / 1e6:.1f} MB" in str(cells.error)
        assert all(variable._value is None for variable in cells["model"].variables)

    @pytest.mark.parametrize("options", ["--no-track", "--dry-run"])
    def test_what_the_optimizer_keeps_and_the_largest_gradient(self, cells, monkeypatch, options):
        cells.run("model = net()")
        monkeypatch.setattr(room, "_WORTH_A_LOOK", 0)
        slots, kernel = 2 * 4 * WEIGHTS, 4 * 6 * 8
        monkeypatch.setattr(room, "most_memory", lambda devices: 700)
        cells.try_run(f"%%train {options}\nmodel.fit(x, y)")
        assert isinstance(cells.error, TooLargeError)
        assert "received model 'sequential' with Adam, which needs 0.0 MB" in str(cells.error)
        monkeypatch.setattr(room, "most_memory", lambda devices: slots + kernel)
        cells.run(f"%%train {options}\nmodel.fit(x, y)")

    def test_gradients_of_embeddings_and_train_steps_of_ones_own_are_no_reason(self, cells, monkeypatch):
        cells.run("""
            class Own(keras.Model):
                def train_step(self, data): return {"loss": tf.reduce_mean(self(data[0]) ** 2)}
            inputs = keras.Input((6,))
            own = Own(inputs, layers.Dense(1)(inputs)); own.compile("adam")
            embedded = keras.Sequential([keras.Input((6,)), layers.Embedding(50, 9), layers.Flatten(), layers.Dense(1)])
            embedded.compile("sgd", "mse")
        """)
        monkeypatch.setattr(room, "_WORTH_A_LOOK", 0)
        monkeypatch.setattr(room, "most_memory", lambda devices: 4 * 6 * 9)  # of the dense kernel alone
        cells.run("%%train --no-track\nown.fit(x, y)").run("%%train --no-track\nembedded.fit(abs(x), y)")
        assert cells["embedded"].optimizer.iterations == 8

    def test_what_may_not_fit_is_said_and_not_tried(self, cells, monkeypatch):
        monkeypatch.setattr("jupyter_mltrain.engine.estimating.free_memory", lambda devices: 10**4)
        cells.run("%%train --dry-run\nmodel = net(); model.fit(x, y, batch_size=230)")
        assert not cells["estimate"].fits
        assert cells["estimate"].step_seconds is None
        assert "This needs about 0.0 MB of memory, and 0.0 MB can be had" in cells.text
        assert "No step was tried: there is no memory for it." in cells.text

    def test_plan_keras_is_told_that_its_copy_of_the_data_may_not_fit(self, cells, monkeypatch):
        monkeypatch.setattr(room, "free_memory", lambda devices: 1000)
        cells.run("%%train --no-track --plan keras\nmodel = net(); model.fit(x, y)")
        assert "The data need 0.0 MB as tensors, more than is free" in cells.text

    def test_outside_of_train_keras_is_as_it_was(self, cells):
        original = keras.Variable._initialize_with_initializer
        cells.try_run("%%train --no-track\n1 / 0")
        assert keras.Variable._initialize_with_initializer is original


class TestDataMemory:
    BODY = "model = net(layers.Dropout(0.3)); history = model.fit(x, y, epochs=2, validation_split=0.2)"

    @pytest.mark.parametrize(
        ("plan", "used", "reason"),
        [
            ("epoch", "block", "Plan block, the data stream: they need more of the free memory than data_memory allows."),
            ("auto", "epoch", "The data stream in blocks: they need more of the free memory than data_memory allows."),
        ],
    )
    def test_data_above_it_stream_and_give_the_same_numbers(self, cells, plan, used, reason):
        cells.run(f"%%train --seed 3 --plan {plan}\n{self.BODY}")
        held, history = values(cells), cells["history"].history
        assert reason not in cells.text
        cells.run("%config MLTrain.data_memory = 0.0")
        try:
            said = cells.run(f"%%train --seed 3 --plan {plan}\n{self.BODY}").text
        finally:
            cells.run("%config MLTrain.data_memory = None")
        assert reason in said
        assert cells["run"].result.plan == used
        assert cells["run"].options["data_memory"] == 0.0
        assert_equal(values(cells), held)
        assert cells["history"].history == history

    def test_the_project_sets_it(self, cells, tmp_path):
        (tmp_path / "pyproject.toml").write_text("[tool.jupyter_mltrain]\ndata_memory = 0\n")
        cells.run(f"%%train --dry-run --plan epoch\n{self.BODY}")
        assert cells["estimate"].plan == "block"
        assert cells["estimate"].data == 2 * 184 * 7 * 4  # two blocks of what is trained on

    def test_a_share_that_is_none(self, cells, tmp_path):
        (tmp_path / "pyproject.toml").write_text("[tool.jupyter_mltrain]\ndata-memory = 25\n")
        cells.try_run("%%train\n1")
        assert str(cells.error) == "expected data_memory from 0 to 1, received 25: 0.25 gives data a quarter of the free memory"
