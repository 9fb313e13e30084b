"""`--lr auto` and `--batch-size auto`: what is found, and that finding it leaves no trace."""

from __future__ import annotations

import math
import textwrap

import keras
import numpy as np
import pytest
import sample_cells
from sample_cells import CELLS

from jupyter_mltrain.engine.plans import batch_sizes
from jupyter_mltrain.engine.plans.rates import choose_rate

DATA = (
    sample_cells.DATA
    + """
def classifier(optimizer="adam", **options):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(16, "relu"), layers.Dense(2, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model
"""
)
FIT = "\nmodel = classifier()\nhistory = model.fit(x, y, epochs=2)"
SHUFFLED = """
stream = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(230, seed=5).batch(32)
model = classifier()
history = model.fit(stream, epochs=2)
"""
CHANGING = [  # what has more that a step changes than weights: names of cells
    "dropout, batch normalization, shuffling, validation",
    "tf.data, infinite, with steps",
    "a FeatureSpace pipeline",
    "mixed precision set by the user",
    "a VAE",
    "several steps an execution, gradient accumulation, moving average",
]


@pytest.fixture
def cells(notebook):
    return notebook.run(DATA)


def left(cells) -> dict:
    """All variables, the history, and the random numbers that come next."""
    cells.run(
        "import random\n"
        "left = {'variables': [v.numpy() for v in (*model.variables, *model.metrics_variables, *model.optimizer.variables)],\n"
        "        'history': history.history,\n"
        "        'draws': (random.random(), np.random.rand(), float(tf.random.uniform(())), float(keras.random.uniform(())))}"
    )
    return cells["left"]


def assert_same(ours: dict, theirs: dict) -> None:
    assert ours["history"] == theirs["history"]
    assert len(ours["variables"]) == len(theirs["variables"]) > 3
    for one, other in zip(ours["variables"], theirs["variables"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert ours["draws"] == theirs["draws"]


class TestLearningRate:
    @pytest.mark.parametrize("optimizer", ["adam", "sgd"])
    def test_the_rate_trains_and_does_not_diverge(self, cells, optimizer):
        body = f"\nmodel = classifier({optimizer!r})\nhistory = model.fit(x, y, epochs=10)"
        cells.run("%%train --seed 1 --lr auto" + body)
        run = cells["run"]
        chosen = run.result.hyperparams["learning_rate"]
        assert f"--lr auto chose {chosen:g}: " in cells.text
        assert run.options["learning_rate"] == "auto"
        cells.run("%%train --seed 1 --lr 1e-6" + body)
        assert run.result.train_loss < 0.95 * cells["run"].result.train_loss
        assert run.result.train_loss < 0.95 * run.epochs[0].metrics["loss"]

    def test_a_model_compiled_from_the_line(self, cells):
        cells.run("%%train --data x, z --lr auto --optimizer sgd --epochs 10 --seed 1\nkeras.Sequential([layers.Dense(1)])")
        assert cells["run"].result.hyperparams["learning_rate"] != 0.01
        assert cells["run"].result.train_loss < 0.1

    @pytest.mark.parametrize("name", [*CHANGING, "shuffled tf.data"])
    def test_the_training_is_the_one_with_that_rate_given_to_the_bit(self, cells, name):
        cell = textwrap.dedent(CELLS.get(name, SHUFFLED))
        cells.run("%%train --seed 7 --plan keras --lr auto\n" + cell)
        found, rate = left(cells), cells["run"].result.hyperparams["learning_rate"]
        assert [test["chosen"] for test in cells["run"].facts["lr_range"]] == [rate]
        cells.run(DATA).run(f"%%train --seed 7 --plan keras --lr {rate}\n" + cell)
        assert_same(found, left(cells))

    def test_two_phases_have_two_rates(self, cells):
        cell = """
        model = classifier({0})
        model.fit(x, y, epochs=2)
        model.layers[0].trainable = False
        model.compile({1}, "sparse_categorical_crossentropy")
        history = model.fit(x, y, epochs=2)
        """
        cell = textwrap.dedent(cell)
        cells.run("%%train --seed 7 --plan keras --lr auto" + cell.format("'adam'", "'adam'"))
        first, second = (test["chosen"] for test in cells["run"].facts["lr_range"])
        found = left(cells)
        given = [f"keras.optimizers.Adam({rate})" for rate in (first, second)]
        cells.run(DATA).run("%%train --seed 7 --plan keras" + cell.format(*given))
        assert_same(found, left(cells))

    def test_it_is_found_once_for_a_compiled_model(self, cells):
        cells.run("%%train --lr auto\nmodel = classifier()\nmodel.fit(x, y)\nmodel.fit(x, y)")
        assert len(cells["run"].facts["lr_range"]) == 1
        assert cells.text.count("--lr auto") == 1

    def test_the_curve_is_recorded_and_stays_under_the_cell(self, cells):
        cells.run("%%train digits --lr auto --seed 1" + FIT)
        (test,) = cells["run"].facts["lr_range"]
        assert len(test["rates"]) == len(test["losses"]) == len(test["smoothed"]) > 60
        assert test["rates"][0] == 1e-6
        assert test["chosen"] == cells["run"].result.hyperparams["learning_rate"]
        pictures = [output.data for output in cells.outputs if "image/png" in output.data]
        assert pictures[-1]["text/plain"] == "learning-rate range test: loss by learning rate"
        cells.run("%runs show digits")
        assert "Learning-rate range test\nlearning-rate range test: loss by learning rate" in cells.text
        cells.run("%%train digits --lr 0.001 --seed 1" + FIT).run("%runs compare digits#1 digits#2")
        assert "lr_range" not in cells.text

    def test_an_untracked_run_shows_its_curve_too(self, cells):
        cells.run("%%train --lr auto --no-track" + FIT)
        assert "learning-rate range test: loss by learning rate" in cells.text

    def test_a_loss_that_is_never_finite_leaves_the_rate(self, cells):
        cells.run("%%train --lr auto --allow-nan --data x, z * np.nan\nkeras.Sequential([layers.Dense(1)])")
        assert "--lr auto found no rate at which the loss falls: the learning rate stays 0.001." in cells.text
        assert cells["run"].result.hyperparams["learning_rate"] == 0.001
        assert "learning-rate range test: no finite loss" in cells.text
        assert cells.stderr == ""

    def test_stop_ends_it_at_once_and_leaves_the_rate(self, cells, monkeypatch):
        from jupyter_mltrain.domain.events import TrainControl

        monkeypatch.setattr(TrainControl, "poll", TrainControl.request_stop)
        cells.run("%%train --lr auto --batch-size auto" + FIT)
        assert cells["run"].status == "stopped"
        assert cells["run"].result.hyperparams["learning_rate"] == 0.001
        assert "lr_range" not in cells["run"].facts

    @pytest.mark.parametrize(
        ("line", "body", "message"),
        [
            (
                "--lr-schedule cosine",
                "model = classifier(); model.fit(x, y)",
                "expected --lr auto or --lr-schedule, received both",
            ),
            (
                "",
                "model = classifier(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 50))); model.fit(x, y)",
                "expected an optimizer with a constant learning rate for --lr auto, received one with a schedule: pass",
            ),
            ("", "model = classifier(); model.fit((each for each in [(x, y)]))", "generator gives its batches one by one"),
            (
                "",
                "model = classifier(run_eagerly=True); model.fit(x, y)",
                "compiled with run_eagerly, received auto: 0.001",
            ),
            ("", CELLS["a GAN with two optimizers"], "expected a train_step that uses model.optimizer for --lr auto"),
            (
                "",
                CELLS["custom train_step and test_step, subclassed, unbuilt"],
                "reports a loss for --lr auto, received own_loss",
            ),
        ],
    )
    def test_what_has_no_rate_to_find_is_one_clear_line(self, cells, line, body, message):
        cells.try_run(f"%%train --lr auto {line}\n" + textwrap.dedent(body))
        assert type(cells.error).__name__ == "OptionError"
        assert message in str(cells.error)
        assert cells.stdout.strip() == f"OptionError: {cells.error}"

    @pytest.mark.parametrize("value", ["autos", "0", "-1"])
    def test_what_is_no_rate(self, cells, value):
        cells.try_run(f"%%train --lr {value}" + FIT)
        assert type(cells.error).__name__ == "OptionError"


class TestChoice:
    """The rule on losses whose answer is known."""

    rates = np.geomspace(1e-6, 10, 141)

    def losses(self, *, diverges_at: float, noise: float = 0.0) -> list[float]:
        """Fall around a rate of 1e-3 by a logistic curve, then rise."""
        fall = 2 - 1.5 / (1 + (1e-3 / self.rates) ** 2)
        blown = np.where(self.rates > diverges_at, 50.0, 0.0)
        return list(fall + blown + noise * np.random.default_rng(1).normal(size=141))

    def test_the_steepest_descent(self):
        found = choose_rate(self.losses(diverges_at=1), [2.0] * 141)
        assert found.steepest
        assert 0.0008 <= found.chosen <= 0.00125

    def test_a_third_of_the_lowest_where_it_diverges_soon(self):
        found = choose_rate(self.losses(diverges_at=2.5e-3), [2.0] * 141)
        assert not found.steepest
        lowest = found.rates[int(np.argmin(found.smoothed))]
        assert found.chosen == pytest.approx(lowest / 3, rel=0.05)
        assert found.chosen < 2.5e-3 / 3

    def test_differences_between_batches_do_not_count(self):
        batches = np.random.default_rng(2).normal(size=141) * 5
        found = choose_rate(list(self.losses(diverges_at=1) + batches), list(2 + batches))
        assert 0.0008 <= found.chosen <= 0.00125

    def test_no_fall_no_rate(self):
        noise = list(np.random.default_rng(3).normal(size=141))
        assert choose_rate(noise, [0.0] * 141).chosen is None
        assert choose_rate(list(1 + self.rates), [1.0] * 141).chosen is None

    def test_a_test_that_broke_off_at_once(self):
        assert choose_rate([], []).chosen is None
        assert choose_rate([2.0, 1.0], [2.0, 2.0]).chosen is None


class TestBatchSize:
    def test_a_power_of_two_that_leaves_twenty_steps_and_the_rate(self, cells):
        cells.run("x, y = np.tile(x, (20, 1)), np.tile(y, 20)")
        cells.run("%%train --batch-size auto" + FIT)
        run = cells["run"]
        chosen = run.result.hyperparams["batch_size"]
        assert chosen in (32, 64, 128)
        assert run.result.hyperparams["learning_rate"] == 0.001
        assert int(cells["model"].optimizer.iterations) == 2 * math.ceil(4600 / chosen)
        assert f"--batch-size auto chose {chosen}" in cells.text
        assert ("the learning rate stays 0.001, --lr auto would find one for it." in cells.text) == (chosen > 32)
        measured = run.facts["batch_sizes"]
        assert measured["chosen"] == max(measured["sizes"]) == chosen
        assert min(measured["samples_per_second"]) > 0
        assert run.options["batch_size"] == "auto"

    def test_few_rows_keep_the_smallest(self, cells):
        cells.run("%%train --batch-size auto\nmodel = classifier()\nmodel.fit(x[:20], y[:20], batch_size=8)")
        assert cells["run"].result.hyperparams["batch_size"] == 32
        assert "--batch-size auto chose 32, in the cell 8: 64 would leave fewer than 20 steps an epoch." in cells.text

    def test_the_fastest_within_memory_is_taken(self, cells, monkeypatch):
        cells.run("x, y = np.tile(x, (20, 1)), np.tile(y, 20)")
        monkeypatch.setattr(batch_sizes, "_LEAST_GAIN", 0.0)
        cells.run("%%train --batch-size auto" + FIT)
        assert cells["run"].result.hyperparams["batch_size"] == 128
        monkeypatch.setattr(batch_sizes, "free_memory", lambda: 0)
        cells.run("%%train --batch-size auto" + FIT)
        assert cells["run"].result.hyperparams["batch_size"] == 32
        assert "64 may need more than a quarter of the free memory" in cells.text
        monkeypatch.setattr(batch_sizes, "free_memory", lambda: 2**40)
        monkeypatch.setattr(batch_sizes, "_LEAST_GAIN", 1e6)
        cells.run("%%train --batch-size auto" + FIT)
        assert "chose 32: 64 brings less than a tenth more." in cells.text

    def test_a_size_that_does_not_fit_is_not_taken(self, cells, monkeypatch):
        import tensorflow as tf

        measure = batch_sizes._seconds

        def out_of_memory(program, block, num_steps):
            if block.shape[1] > most:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM")
            return measure(program, block, num_steps)

        monkeypatch.setattr(batch_sizes, "_seconds", out_of_memory)
        monkeypatch.setattr(batch_sizes, "_LEAST_GAIN", 0.0)
        cells.run("x, y = np.tile(x, (20, 1)), np.tile(y, 20)")
        most = 64
        cells.run("%%train --batch-size auto" + FIT)
        assert cells["run"].result.hyperparams["batch_size"] == 64
        assert "; 128 does not fit in memory." in cells.text
        most = 16
        cells.try_run("%%train --batch-size auto" + FIT)
        assert str(cells.error) == "expected memory for batches of 32 rows, received none: pass a smaller --batch-size"

    def test_the_training_is_the_one_with_that_size_given_to_the_bit(self, cells):
        body = """
x, y = np.tile(x, (20, 1)), np.tile(y, 20)
model = keras.Sequential([layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
history = model.fit(x, y)
"""
        cells.run("%%train --seed 7 --plan keras --batch-size auto" + body)
        found, size = left(cells), cells["run"].result.hyperparams["batch_size"]
        cells.run(DATA).run(f"%%train --seed 7 --plan keras --batch-size {size}" + body)
        assert_same(found, left(cells))

    def test_both_find_the_size_first(self, cells):
        cells.run("x, y = np.tile(x, (20, 1)), np.tile(y, 20)")
        cells.run("%%train --batch-size auto --lr auto --seed 1" + FIT)
        assert cells.text.index("--batch-size auto chose") < cells.text.index("--lr auto chose")
        assert "the learning rate stays" not in cells.text
        hyperparams, facts = cells["run"].result.hyperparams, cells["run"].facts
        assert hyperparams["batch_size"] == facts["batch_sizes"]["chosen"]
        assert hyperparams["learning_rate"] == facts["lr_range"][0]["chosen"]

    @pytest.mark.parametrize(
        ("line", "body", "message"),
        [
            ("", SHUFFLED, "expected arrays for --batch-size auto, received _BatchDataset, which brings its own batches"),
            ("", CELLS["PyDataset"], "received Batches, which brings its own batches: choose their size where they are made"),
            ("", CELLS["a Python generator"], "received generator, which brings its own batches"),
            ("--lr-schedule linear", FIT, "expected --batch-size auto or --lr-schedule, received both"),
            (
                "--data x, z --loss mse",
                "keras.Sequential([keras.Input(batch_shape=(10, 6)), layers.Dense(1)])",
                "with batches of 10: leave --batch-size out",
            ),
        ],
    )
    def test_what_has_no_size_to_find_is_one_clear_line(self, cells, line, body, message):
        cells.try_run(f"%%train --batch-size auto {line}\n" + textwrap.dedent(body))
        assert type(cells.error).__name__ == "OptionError"
        assert message in str(cells.error)
        assert cells.stdout.strip() == f"OptionError: {cells.error}"


def test_from_python(cells):
    from jupyter_mltrain import MLTrainError, train

    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    run = train(model, data=(cells["x"], cells["z"]), learning_rate="auto", batch_size="auto", seed=1)
    assert run.result.hyperparams["batch_size"] == 32
    assert run.result.hyperparams["learning_rate"] == run.facts["lr_range"][0]["chosen"]
    with pytest.raises(MLTrainError, match="expected --batch-size auto or a number, received 'big'"):
        train(model, data=(cells["x"], cells["z"]), batch_size="big")
