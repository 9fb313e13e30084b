"""`%%train` through a real shell: what is trained, what the options do, what is left."""

from __future__ import annotations

import json
import re

import keras
import numpy as np
import pytest

from jupyter_mltrain.engine import phase

DATA = """
import numpy as np, keras
from keras import layers
keras.backend.clear_session()
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 4)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
z = x @ np.array([[1.0], [2.0], [0.0], [-1.0]], "float32")
"""
CLASSIFIER = """
model = keras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")])
model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
"""


@pytest.fixture
def cells(notebook):
    return notebook.run(DATA)


class TestWhatIsTrained:
    def test_the_body_runs_once_in_the_notebooks_namespace_and_prints_as_it_would(self, cells):
        cells.run("count = 0")
        cells.run("%%train\ncount += 1\nprint('before')" + CLASSIFIER + "model.fit(x, y)\nprint('after')\ncount + 41")
        assert re.fullmatch(r"before\nafter\nOut\[\d+\]: 42\n", cells.stdout)
        assert cells["count"] == 1
        assert cells["run"].result.epochs == 1
        assert isinstance(cells["model"].history.history["loss"][0], float)

    def test_a_model_that_is_the_value_of_the_last_line_is_trained_on_data(self, cells):
        cells.run('%%train --data x, y --epochs 3\nkeras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")])')
        assert cells["run"].result.epochs == 3
        assert cells["run"].result.hyperparams["loss"] == "sparse_categorical_crossentropy"
        assert "the targets are whole numbers, the model has 2 outputs" in cells.text

    def test_the_one_model_that_the_body_assigns_is_trained(self, cells):
        cells.run("%%train --data x, z --epochs 2\nbuilt = keras.Sequential([keras.Input((4,)), layers.Dense(1)])\nother = 3")
        assert cells["built"].optimizer.iterations == 2 * 7
        assert cells["run"].result.hyperparams["loss"] == "mean_squared_error"

    def test_model_names_an_earlier_one(self, cells):
        cells.run(CLASSIFIER).run("%%train --model model --data x, y\npass")
        assert cells["model"].optimizer.iterations == 7

    def test_a_data_frame_with_a_target(self, cells):
        cells.run("import pandas as pd\nframe = pd.DataFrame(x, columns=list('abcd')).assign(price=z[:, 0])")
        cells.run(
            "%%train --data frame --target price --validation-split 0.25\nkeras.Sequential([keras.Input((4,)), layers.Dense(1)])"
        )
        assert cells["run"].facts["data"]["x"]["shape"] == [200, 4]
        assert cells["run"].result.val_loss > 0

    def test_a_data_frame_into_named_inputs(self, cells):
        cells.run("import pandas as pd\nframe = pd.DataFrame(x, columns=list('abcd')).assign(price=z[:, 0])")
        cells.run(
            "%%train --data frame[['a', 'b', 'price']] --target price\n"
            "inputs = {n: keras.Input((1,), name=n) for n in 'ab'}\n"
            "keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(list(inputs.values()))))"
        )
        assert sorted(cells["run"].facts["data"]) == ["x['a']", "x['b']", "y"]

    def test_two_fits_are_two_phases_of_one_run(self, cells):
        cells.run("%%train" + CLASSIFIER + "model.fit(x, y, epochs=2)\nmodel.fit(x, y, epochs=3)")
        run = cells["run"]
        assert [(epoch.number, epoch.phase) for epoch in run.epochs] == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]
        assert [phase["epochs"] for phase in run.facts["phases"]] == [2, 3]

    def test_the_fitted_model_counts_and_not_the_last_one_made(self, cells):
        cells.run("%%train" + CLASSIFIER + "model.fit(x, y)\nlater = keras.Sequential([keras.Input((4,)), layers.Dense(9)])")
        assert cells["run"].facts["model"]["num_params"] == 10


class TestOptions:
    def test_options_win_over_the_cell_and_the_output_says_so(self, cells):
        cells.run("%%train --epochs 3 --batch-size 50" + CLASSIFIER + "model.fit(x, y, epochs=9, batch_size=20)")
        assert cells["run"].result.epochs == 3
        assert cells["model"].optimizer.iterations == 3 * 4
        assert "The line overrides epochs: 3, in the cell 9." in cells.text
        assert "The line overrides batch_size: 50, in the cell 20." in cells.text

    def test_learning_rate_of_a_compiled_model(self, cells):
        cells.run("%%train --lr 0.25" + CLASSIFIER + "model.fit(x, y)")
        assert float(cells["model"].optimizer.learning_rate) == 0.25
        assert cells["run"].result.hyperparams["learning_rate"] == 0.25

    @pytest.mark.parametrize(
        ("options", "optimizer", "settings"),
        [
            ("--optimizer sgd --momentum 0.9 --weight-decay 0.01", "SGD", {"momentum": 0.9, "weight_decay": 0.01}),
            ("--optimizer rmsprop --lr 0.002", "RMSprop", {"learning_rate": 0.002}),
            ("--optimizer adam", "Adam", {"learning_rate": 0.001}),
            ("--optimizer adamw --weight-decay 0.1", "AdamW", {"weight_decay": 0.1}),
        ],
    )
    def test_optimizers_from_the_line(self, cells, options, optimizer, settings):
        cells.run(f"%%train --data x, z --loss mse {options}\nmodel = keras.Sequential([keras.Input((4,)), layers.Dense(1)])")
        assert type(cells["model"].optimizer).__name__ == optimizer
        assert settings.items() <= cells["run"].result.hyperparams.items()

    def test_a_learning_rate_schedule_falls_over_the_whole_training(self, cells):
        cells.run(
            "%%train --data x, z --epochs 4 --lr 0.1 --lr-schedule cosine\n"
            "model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])"
        )
        assert float(cells["model"].optimizer.learning_rate) == pytest.approx(0, abs=1e-6)

    def test_dropout_and_l2_from_the_line(self, cells):
        cells.run(
            "%%train --data x, z --dropout 0.4 --l2 0.5\n"
            "model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.1), layers.Dense(1)])"
        )
        model = cells["model"]
        assert model.layers[0].rate == 0.4
        assert float(model.losses[0]) == pytest.approx(0.5 * float(np.sum(model.layers[1].kernel.numpy() ** 2)), rel=1e-5)

    @pytest.mark.parametrize(
        ("last_layer", "targets", "loss"),
        [
            ("layers.Dense(2)", "y", "sparse_categorical_crossentropy"),
            ('layers.Dense(2, "softmax")', "keras.utils.to_categorical(y)", "categorical_crossentropy"),
            ('layers.Dense(1, "sigmoid")', "y", "binary_crossentropy"),
            ("layers.Dense(1)", "y", "binary_crossentropy"),
        ],
    )
    def test_cross_entropy_takes_the_form_that_fits(self, cells, last_layer, targets, loss):
        cells.run(
            f"%%train --data x, {targets} --loss cross-entropy --epochs 30 --lr 0.05\n"
            f"keras.Sequential([keras.Input((4,)), {last_layer}])"
        )
        assert cells["run"].result.hyperparams["loss"] == loss
        assert cells["run"].result.train_metrics["accuracy"] > 0.9

    def test_early_stopping_restores_the_best_weights(self, cells):
        cells.run(
            "%%train --early-stop 2 --epochs 50 --seed 1\n"
            "class Worse(keras.callbacks.Callback):\n"
            "    def on_epoch_begin(self, epoch, logs=None):\n"
            "        if epoch == 4:\n"
            "            self.model.set_weights([w * -3 for w in self.model.get_weights()])\n"
            "            self.model.optimizer.learning_rate = 0.0\n"
            + CLASSIFIER
            + "model.fit(x, y, validation_data=(x, y), callbacks=[Worse()])\n"
            "val_loss_after = model.evaluate(x, y, verbose=0)[0]"
        )
        run = cells["run"]
        assert run.result.best_epoch == 4
        assert run.result.epochs == 6
        assert cells["val_loss_after"] == pytest.approx(run.result.best_score, rel=1e-5)
        best, last = (keras.models.load_model(run.folder / name) for name in ("best.keras", "last.keras"))
        assert best.evaluate(cells["x"], cells["y"], verbose=0)[0] == pytest.approx(run.epochs[3].metrics["val_loss"], rel=1e-5)
        assert last.evaluate(cells["x"], cells["y"], verbose=0)[0] == pytest.approx(run.epochs[5].metrics["val_loss"], rel=1e-5)

    def test_monitor_knows_a_metrics_direction(self, cells):
        cells.run("%%train --monitor val_accuracy --epochs 5" + CLASSIFIER + "model.fit(x, y, validation_data=(x, y))")
        accuracies = [epoch.metrics["val_accuracy"] for epoch in cells["run"].epochs]
        assert cells["run"].result.best_score == max(accuracies)
        assert cells["run"].result.best_epoch == accuracies.index(max(accuracies)) + 1

    def test_an_epoch_without_a_validation_is_no_rival(self, cells):
        cells.run("%%train --epochs 5" + CLASSIFIER + "model.fit(x, y, validation_data=(x, y), validation_freq=2)")
        assert (cells["run"].result.monitor, cells["run"].result.best_epoch) == ("val_loss", 4)

    def test_variables_in_the_line(self, cells):
        cells.run("n = 2\nwhat = 'x, y'")
        cells.run("%%train --epochs {n} --data {what}" + CLASSIFIER)
        assert cells["run"].result.epochs == 2

    def test_the_project_and_the_configuration_set_defaults(self, cells, tmp_path):
        (tmp_path / "pyproject.toml").write_text("[tool.jupyter_mltrain]\nepochs = 3\nseed = 5\n")
        cells.run("%config MLTrain.seed = 6")
        try:
            cells.run("%%train" + CLASSIFIER + "model.fit(x, y)")
            assert cells["run"].result.epochs == 3
            assert cells["run"].facts["seed"] == 6
        finally:
            cells.run("%config MLTrain.seed = None")

    @pytest.mark.parametrize(("line", "may_switch"), [("", True), ("--seed 1", False)])
    def test_who_gives_a_seed_gets_the_same_numbers_again(self, cells, monkeypatch, line, may_switch):
        seen = []
        select = phase.select
        monkeypatch.setattr(phase, "select", lambda *arguments: seen.append(select(*arguments)) or seen[-1])
        cells.run(f"%%train {line}" + CLASSIFIER + "model.fit(x, y)")
        assert [selection.may_switch for selection in seen] == [may_switch]

    @pytest.mark.parametrize("name", ["live", "short_errors"])
    def test_what_is_the_notebooks_own_cannot_stand_in_the_project(self, cells, tmp_path, name):
        (tmp_path / "pyproject.toml").write_text(f"[tool.jupyter_mltrain]\n{name} = false\n")
        cells.try_run("%%train" + CLASSIFIER + "model.fit(x, y)")
        assert str(cells.error).endswith(f"received {name!r}: set it with %config MLTrain.{name}")

    def test_precision_of_the_layers_that_the_cell_makes(self, cells):
        cells.run("%%train --precision mixed_bfloat16" + CLASSIFIER + "model.fit(x, y)")
        assert cells["run"].result.precision == "mixed_bfloat16"
        assert keras.config.dtype_policy().name == "float32"

    def test_no_track_leaves_no_trace(self, cells):
        cells.run("%%train --no-track" + CLASSIFIER + "model.fit(x, y)")
        assert cells["run"].result.epochs == 1
        assert not cells.home.exists()

    def test_as_names_the_variable(self, cells):
        cells.run("%%train --as first" + CLASSIFIER + "model.fit(x, y)")
        assert cells["first"].name == "run"
        assert "run" not in cells.shell.user_ns


def test_an_interrupt_while_no_gradients_are_recorded_spoils_no_later_training(cells):
    cells.try_run("""
        %%train
        from tensorflow.python.eager import record
        pause = record.stop_recording()
        pause.__enter__()
        raise KeyboardInterrupt
    """)
    assert isinstance(cells.error, KeyboardInterrupt)
    cells.run("%%train" + CLASSIFIER + "model.fit(x, y)")
    assert cells["run"].result.epochs == 1


class TestRecord:
    def test_everything_is_recorded(self, cells):
        cell = (
            "%%train digits --seed 3 --tag kind=small --note first try --epochs 2"
            + CLASSIFIER
            + "model.fit(x, y, validation_split=0.5)\n"
        )
        cells.run(cell)
        run = cells["run"]
        facts = json.loads(json.dumps(dict(run.facts)))
        assert run.source == cell
        assert run.options == {"name": "digits", "seed": 3, "tags": {"kind": "small"}, "note": "first try", "epochs": 2}
        assert (run.tags, run.note, facts["seed"], facts["deterministic"]) == ({"kind": "small"}, "first try", 3, False)
        assert facts["model"]["num_params"] == 10
        assert "dense" in facts["model"]["summary"]
        assert facts["data"]["x"]["shape"] == [200, 4]
        assert facts["environment"]["packages"]["keras"] == keras.__version__
        assert {"python", "platform", "processor", "devices", "git", "threads", "onednn"} <= facts["environment"].keys()
        assert [sorted(epoch.metrics) for epoch in run.epochs] == [["accuracy", "loss", "val_accuracy", "val_loss"]] * 2
        assert run.ended_at > run.started_at

    def test_the_same_data_have_the_same_fingerprint(self, cells):
        cells.run("%%train" + CLASSIFIER + "model.fit(x, y)")
        first = cells["run"].facts["data"]
        cells.run("%%train" + CLASSIFIER + "model.fit(np.asfortranarray(x).copy(order='F'), y.copy())")
        assert cells["run"].facts["data"] == first
        cells.run("x[7, 2] += 1e-6").run("%%train" + CLASSIFIER + "model.fit(x, y)")
        assert cells["run"].facts["data"]["x"]["content"] != first["x"]["content"]
        assert cells["run"].facts["data"]["y"] == first["y"]

    def test_a_stock_tensorboard_reads_it(self, cells):
        import tensorflow as tf
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.plugins.hparams import plugin_data_pb2

        cells.run("%%train --epochs 3" + CLASSIFIER + "model.fit(x, y, validation_split=0.5)")
        folder = cells["run"].folder / "tensorboard"
        for part, metric in (("train", "loss"), ("validation", "val_loss")):
            events = EventAccumulator(str(folder / part)).Reload()
            values = [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors("epoch_loss")]
            assert values == pytest.approx([epoch.metrics[metric] for epoch in cells["run"].epochs], rel=1e-6)
            assert [event.step for event in events.Tensors("epoch_loss")] == [0, 1, 2]
        metadata = EventAccumulator(str(folder)).Reload().SummaryMetadata("_hparams_/session_start_info")
        started = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info
        assert started.hparams["optimizer"].string_value == "Adam"
        assert started.hparams["epochs"].number_value == 3

    def test_register_makes_versions(self, cells):
        for version in (1, 2):
            cells.run("%%train --register small" + CLASSIFIER + "model.fit(x, y)")
            assert cells["run"].result.model_id == f"small@{version}"
        assert "@2" not in cells.text

    def test_a_failed_run_keeps_its_epochs_and_its_cause(self, cells, ipython):
        cells.try_run(
            "%%train broken\n"
            "class Breaks(keras.callbacks.Callback):\n"
            "    def on_epoch_end(self, epoch, logs=None):\n"
            "        if epoch == 2: raise RuntimeError('out of luck')\n"
            + CLASSIFIER
            + "model.fit(x, y, epochs=9, callbacks=[Breaks()])"
        )
        assert isinstance(cells.error, RuntimeError)
        run = _newest(ipython)
        assert (run.status, run.failure.kind, run.failure.message) == ("failed", "RuntimeError", "out of luck")
        assert len(run.epochs) == 2
        assert (run.folder / "best.keras").exists()


def _newest(ipython):
    return ipython.magics_manager.registry["TrainMagics"].session.store.runs.get("broken")


class TestErrors:
    """One line of ours; the user's own exceptions at the user's own line, once."""

    @pytest.mark.parametrize(
        ("cell", "kind", "message"),
        [
            ("%%train --epocs 3\npass", "OptionError", "received '--epocs': did you mean --epochs?"),
            ("%%train --epochs many\npass", "OptionError", "expected a whole number for --epochs, received 'many'"),
            ("%%train --plan warp\npass", "OptionError", "expected --plan auto, keras, block, epoch, epoch-xla, received 'warp'"),
            ("%%train --epochs 0\npass", "OptionError", "expected --epochs of at least 1, received 0"),
            ("%%train --strategy gpu\nmodel.fit(x, y)", "DeviceError", "this machine has CPU:0"),
            ("%%train --strategy mirrored\nmodel.fit(x, y)", "DeviceError", "expected two GPUs, or two logical CPU devices"),
            ("%%train bad/name\npass", "OptionError", "received 'bad/name'"),
            ("%%train --data x_trian, y\nmodel", "UnknownNameError", "received 'x_trian': did you mean x_train?"),
            ("%%train --epochs {nn}\npass", "UnknownNameError", "received {nn}"),
            ("%%train\na = 1", "ModelError", "expected the cell to build or fit a Keras model"),
            (
                "%%train --data x, y\na, b = make(), make()",
                "ModelError",
                "received 2: a, b; name the one to train with --model a",
            ),
            ("%%train\nmake()", "ModelError", "expected a call of fit in the cell or --data"),
            ("%%train\nmodel.fit(x[:, :3], y)", "DataError", "expected x of shape (any, 4) for model 'small', received (200, 3)"),
            ("%%train\nmodel.fit(x, y[:50])", "DataError", "received x 200, y 50"),
            ("%%train\nmodel.fit(x[:0], y[:0])", "DataError", "expected at least one row, received none in x"),
            ("%%train\nmodel.fit(holes, y)", "DataError", "received 1 NaN or infinite, the first in row 5, column 2"),
            ("%%train\nmodel.fit(x, y + 7)", "DataError", "expected labels from 0 to 1 for the 2 outputs"),
            ("%%train --data frame --target prise\nmodel", "DataError", "received 'prise': did you mean price?"),
            ("%%train --data frame\nmodel", "DataError", "expected --target with a data frame"),
            ("%%train --monitor f1\nmodel.fit(x, y)", "UnknownNameError", "received 'f1': there is accuracy, loss"),
            ("%%train --monitor val_loss\nmodel.fit(x, y)", "OptionError", "expected validation data for --monitor val_loss"),
            ("%%train --metrics acuracy --data x, y\nmake()", "OptionError", "received 'acuracy': did you mean accuracy"),
            ("%%train --optimizer adma --data x, y\nmake()", "OptionError", "received 'adma': did you mean adam"),
        ],
    )
    def test_one_clear_line(self, cells, cell, kind, message, capsys):
        cells.run(
            CLASSIFIER.replace("])\nmodel.c", "], name='small')\nmodel.c")
            + "def make(): return keras.Sequential([keras.Input((4,)), layers.Dense(2, 'softmax')])\n"
            "import pandas as pd\nframe = pd.DataFrame(x, columns=list('abcd')).assign(price=z[:, 0])\nx_train = x\n"
            "holes = x.copy(); holes[5, 2] = np.nan"
        )
        cells.try_run(cell)
        assert type(cells.error).__name__ == kind
        assert message in str(cells.error)
        assert cells.stdout.strip().splitlines() == [f"{kind}: {cells.error}"]

    def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_epoch(self, cells):
        cell = "\nkeras.Sequential([keras.Input((4,)), layers.Dense(1)])"
        cells.try_run("%%train --data x, z --optimizer sgd --lr 1e30 --epochs 5" + cell)
        assert type(cells.error).__name__ == "DivergedError"
        assert "received loss nan in epoch" in str(cells.error)
        cells.run("%%train --data x, z --optimizer sgd --lr 1e30 --epochs 5 --allow-nan" + cell)
        assert cells["run"].result.epochs == 5

    def test_the_users_exception_is_shown_once_at_the_users_line(self, cells):
        cells.try_run("%%train\ndef broken():\n    return 1 / 0\nbroken()")
        assert isinstance(cells.error, ZeroDivisionError)
        assert cells.stdout.count("ZeroDivisionError: division by zero") == 1
        assert "line 4\n" in cells.stdout
        assert "----> 3     return 1 / 0" in cells.stdout
        assert "jupyter_mltrain" not in cells.stdout

    def test_the_whole_traceback_on_request(self, cells):
        cells.run("%config MLTrain.short_errors = False")
        try:
            cells.try_run("%%train\n1 / 0")
        finally:
            cells.run("%config MLTrain.short_errors = True")
            cells.try_run("pass")
        cells.try_run("%%train --epochs 0\npass")
        assert cells.stdout.count("\n") == 1

    def test_a_syntax_error_points_at_the_users_line(self, cells):
        cells.try_run("%%train\na = 1\nb = = 2")
        assert isinstance(cells.error, SyntaxError)
        assert "line 3" in cells.stdout
        assert not cells.home.exists()  # nothing was begun

    def test_a_call_with_a_wrong_argument_is_pythons_own_error(self, cells):
        cells.run(CLASSIFIER).try_run("%%train\nmodel.fit(x, y, epoch=2)")
        assert "fit() got an unexpected keyword argument 'epoch'" in str(cells.error)
        assert "inspect.py" not in cells.stdout

    def test_a_call_from_python_is_one_line_too(self, cells):
        cells.try_run("import jupyter_mltrain\njupyter_mltrain.load_model('nothing')")
        assert cells.stdout.strip() == f"UnknownNameError: {cells.error}"

    def test_a_home_that_cannot_be_written(self, cells, tmp_path):
        (tmp_path / "file").write_text("")
        cells.run(f"%config MLTrain.home = {str(tmp_path / 'file')!r}")
        cells.try_run("%%train" + CLASSIFIER + "model.fit(x, y)")
        assert type(cells.error).__name__ == "StoreError"
        assert str(tmp_path / "file") in str(cells.error)
        assert cells.stdout.count("\n") == 1

    def test_after_an_error_keras_is_as_it_was(self, cells):
        cells.try_run("%%train\n1 / 0")
        assert "fit" not in vars(keras.Model)
        assert "__init_subclass__" not in vars(keras.Model)
