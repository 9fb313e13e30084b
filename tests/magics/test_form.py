"""`%mltrain form`: what it lists, the cell that it makes, and what it says is wrong, over a real notebook's variables."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from jupyter_mltrain import TrainForm
from jupyter_mltrain.domain.errors import OptionError, UnknownNameError
from jupyter_mltrain.domain.form import FormKind
from jupyter_mltrain.magics.extension import settings_of
from jupyter_mltrain.magics.form import form_magic
from jupyter_mltrain.widgets.form_state import FormState

HOSTILE = "<script>alert('column')</script> \u202e{x}"
VARIABLES = """
import keras, numpy as np, tensorflow as tf
x_train, y_train, x_val, y_val = np.ones((6, 3), "float32"), np.arange(6), np.ones((2, 3), "float32"), np.arange(2)
pair = (x_train, y_train)
batches = tf.data.Dataset.from_tensor_slices(pair).batch(2)
columns = {"a": y_train, "b": y_train}
number, text, several = 3, "x", [1, 2]
def build(hp):
    return keras.Sequential([keras.layers.Dense(hp.Int("units", 2, 8))])
def helper():
    return build(None)
def load(path):
    return path
class Net(keras.Model):
    pass
net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
"""


def state(notebook: Any, kind: FormKind = FormKind.TRAIN, **values: Any) -> FormState:
    return FormState(form_magic(notebook.shell, settings_of(notebook.shell), kind), values)


def shown(form: FormState) -> dict[str, Any]:
    """Return what the front end gets."""
    return dict(json.loads(json.dumps(form.snapshot(), allow_nan=False)))


class Awkward:
    """An object that raises at every look."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def test_it_stands_for_a_cell_that_trains_and_stays_as_text(tiny):
    tiny.run("%mltrain form")
    cell = "%%train --data x, y --validation-split 0.2 --epochs 10\nnet()"
    assert tiny.text == f"Form: it stands for this cell.\n  {cell.replace(chr(10), chr(10) + '  ')}"
    assert f"<pre>{cell}</pre>" in tiny.outputs[0].data["text/html"]
    form = TrainForm(epochs=2, batch_size=8, optimizer="sgd", seed=1, name="tiny")
    assert form.cell == (
        "%%train tiny --data x, y --validation-split 0.2 --optimizer sgd --epochs 2 --batch-size 8 --seed 1\nnet()"
    )
    tiny.shell.user_ns["form"] = form
    assert tiny.run("form").text == repr(form)
    tiny.run(form.cell)
    run = tiny["run"]
    assert (run.ref, run.result.epochs, run.result.hyperparams["optimizer"]) == ("tiny#1", 2, "SGD")


def test_a_form_of_a_search_stands_for_a_cell_that_searches(tiny):
    tuned = {"learning_rate_tuned": "yes", "learning_rate_from": "1e-4", "learning_rate_to": "1e-1"}
    tuned |= {"optimizer_tuned": "yes", "optimizer_values": "adam, sgd", "batch_size_tuned": "yes", "batch_size_values": "08,16"}
    tuned |= {"epochs_tuned": "yes", "epochs_from": 1, "epochs_to": 2}
    form = TrainForm("tune", trials=2, oracle="random", loss="cross-entropy", metrics="accuracy", seed=3, **tuned)
    line, *body = form.cell.splitlines()
    assert line == (
        "%%tune --trials 2 --oracle random --data x, y --validation-split 0.2 --loss cross-entropy --metrics accuracy --seed 3"
    )
    assert body == [
        "import keras",
        "model = net()",
        'optimizer = keras.optimizers.get(hp.Choice("optimizer", ["adam", "sgd"]))',
        'optimizer.learning_rate = hp.Float("learning_rate", 1e-4, 1e-1, log=True)',
        "model.compile(optimizer)",
        'model.fit(epochs=hp.Int("epochs", 1, 2), batch_size=hp.Choice("batch_size", [8, 16]))',
    ]
    tiny.run(form.cell)
    trials = tiny["search"].trials
    assert [sorted(trial.trial.values) for trial in trials] == [["batch_size", "epochs", "learning_rate", "optimizer"]] * 2
    for trial in trials:
        used = trial.result.hyperparams
        assert used["optimizer"].lower() == trial.trial.values["optimizer"]
        assert used["learning_rate"] == pytest.approx(trial.trial.values["learning_rate"])
        assert (used["batch_size"], used["epochs"]) == (trial.trial.values["batch_size"], trial.trial.values["epochs"])
        assert "val_accuracy" in trial.result.best_metrics


def test_what_fits_is_listed_with_its_shape(notebook):
    notebook.run(VARIABLES)
    notebook.shell.user_ns |= {"frame": pd.DataFrame({"size": [1.0, 2.0], "petal width": [3, 4]}), "awkward": Awkward()}
    listed = shown(state(notebook))["offered"]
    assert [text for _, text in listed["data"]] == [
        "frame: DataFrame, 2 rows, 2 columns",
        "columns: dict, 6 rows, 2 columns",
        "batches: BatchDataset",
        "pair: ((6, 3) float32, (6,) int64)",
        "y_val: (2,) int64",
        "x_val: (2, 3) float32",
        "y_train: (6,) int64",
        "x_train: (6, 3) float32",
    ]
    assert listed["targets"] == [["", "none"], ["y_train", "y_train: (6,) int64"]]
    assert [value for value, _ in listed["validation_data"]] == ["", "x_val"]
    assert listed["model"] == [
        ["Net()", "Net(): a model class"],
        ["build(hp)", "build(hp): a function"],
        ["net", "net: Sequential, 8 parameters; goes on from its weights"],
        ["helper()", "helper(): "],
    ]
    assert [value for value, _ in shown(state(notebook, FormKind.TUNE))["offered"]["model"]] == ["Net()", "build(hp)", "helper()"]
    assert [value for value, _ in listed["precision"]][:2] == ["", "auto"]


CELLS: list[tuple[dict[str, str], str]] = [
    ({}, "%%train --data x_train, y_train --val x_val, y_val --epochs 10\nNet()"),
    ({"validation_data": ""}, "%%train --data x_train, y_train --validation-split 0.2 --epochs 10\nNet()"),
    ({"data": "frame"}, '%%train --data frame --target "petal width" --validation-split 0.2 --epochs 10\nNet()'),
    ({"data": "frame", "target": "a  b\t"}, '%%train --data frame --target "a  b\t" --validation-split 0.2 --epochs 10\nNet()'),
    ({"data": "frame", "target": "it's"}, '%%train --data frame --target "it\'s" --validation-split 0.2 --epochs 10\nNet()'),
    ({"data": "batches", "model": "net"}, "%%train --data batches --epochs 10\nnet"),
    ({"data": "pair", "validation_split": ""}, "%%train --data pair --epochs 10\nNet()"),
    ({"model": "build(hp)", "name": "r", "register": "a b"},
     '%%train r --data x_train, y_train --val x_val, y_val --epochs 10 --register "a b"\nbuild(hp)'),
]  # fmt: skip


def test_the_cell_follows_the_fields(notebook):
    notebook.run(VARIABLES)
    notebook.shell.user_ns["frame"] = pd.DataFrame({"it's": [1, 2], "a  b\t": [1, 2], "petal width": [3, 4]})
    assert [TrainForm(**values).cell for values, _ in CELLS] == [cell for _, cell in CELLS]
    form = state(notebook)
    form.take({"data": "frame"})
    form.take({"data": "x_train"})
    assert form.cell.text == CELLS[0][1]


WRONG = [
    ("epochs", "0", "--epochs 0"),
    ("epochs", "many", "--epochs many"),
    ("epochs", "3 4", '--epochs "3 4"'),
    ("learning_rate", "-1", "--lr -1"),
    ("batch_size", "fast", "--batch-size fast"),
    ("validation_split", "20", "--validation-split 20"),
    ("strategy", "tpu", "--strategy tpu"),
    ("precision", "half", "--precision half"),
    ("seed", "{sed}", "--seed {sed}"),
    ("register", "a/b", "--register a/b"),
    ("name", "my run", '"my run"'),
]


def test_what_is_wrong_is_said_at_its_field_as_the_magic_says_it(notebook):
    notebook.run("import numpy as np\nx, y = np.ones((6, 3)), np.ones(6)")
    for field, value, option in WRONG:
        form = state(notebook)
        form.take({field: value, "colour": "red"})
        notebook.try_run(f"%%train {option}\nNone")
        assert (shown(form)["faults"], form.is_right) == ({field: str(notebook.error)}, False)


RANGE = "expected a number for a range of epochs, received none: write one"
WRONG_RANGES = [
    ({"epochs_tuned": "yes"}, {"epochs_from": RANGE, "epochs_to": RANGE}),
    ({"epochs_tuned": "yes", "epochs_from": "9", "epochs_to": "5"},
     {"epochs_to": "expected the end of a range above 9, received 5: write the lower one first"}),
    ({"epochs_tuned": "yes", "epochs_from": "0.5", "epochs_to": "5"},
     {"epochs_from": "expected a whole number for --epochs, received '0.5': %%tune? is the manual"}),
    ({"learning_rate_tuned": "yes", "learning_rate_from": "{rate}", "learning_rate_to": "inf", "loss": "mse"},
     {f"learning_rate_{end}": f"expected a number for a range of learning rate, received {value}: write one"
      for end, value in (("from", "{rate}"), ("to", "inf"))}),
    ({"batch_size_tuned": "yes", "batch_size_values": "8, auto"},
     {"batch_size_values": "expected a number for a range of batch size, received auto: write one"}),
    ({"batch_size_tuned": "yes", "batch_size_values": "8"},
     {"batch_size_values": "expected several values with commas, received 8: add another"}),
    ({"optimizer_tuned": "yes", "optimizer_values": "adam, sgd"},
     {"loss": "expected a loss where the optimizer or its rate is tuned, received none: cross-entropy and mse are common"}),
    ({"trials": "0"}, {"trials": "expected --trials of at least 1, received 0: leave it out for the default"}),
]  # fmt: skip


def test_so_is_what_is_wrong_with_where_to_search(notebook):
    for values, wrong in WRONG_RANGES:
        assert shown(state(notebook, FormKind.TUNE, **values))["faults"] == wrong


def test_what_is_wrong_with_the_whole_line_is_said_of_none(notebook):
    def check(line: str) -> None:
        if "--epochs" in line and "--seed" in line:
            raise OptionError("expected --epochs or --seed, received both: leave one out")

    magic = form_magic(notebook.shell, settings_of(notebook.shell), FormKind.TRAIN)
    seen = shown(FormState(replace(magic, check=check), {"seed": 1}))
    assert (seen["faults"], seen["trouble"]) == ({}, "expected --epochs or --seed, received both: leave one out")


def test_a_notebook_without_data_or_model_is_told_what_to_do_first(notebook):
    notebook.run("%mltrain form")
    assert notebook.text == (
        "Form: There are no data in the notebook yet: load some in a cell, as arrays x and y or as a data frame. There is no "
        "model yet: define in a cell a function that builds one, def build(): return keras.Sequential([...]). This form then "
        "lists them."
    )
    form = state(notebook)
    assert not form.is_right
    notebook.run(VARIABLES)
    form.look()
    assert form.is_right
    assert (form.lacks, form.cell.body) == ("", "Net()")
    notebook.run("del x_train, y_train")
    form.look()
    assert form.cell.line.startswith("--data x_val, y_val ")


def test_names_of_columns_are_shown_as_text(notebook):
    notebook.run("def build(): return keras.Sequential()")
    notebook.shell.user_ns |= {"x": 1, "frame": pd.DataFrame({HOSTILE: [1, 2]})}
    notebook.run("%mltrain form")
    assert "&lt;script&gt;" in notebook.outputs[0].data["text/html"]
    assert "<script>" not in notebook.outputs[0].data["text/html"]
    assert "\\u202e" in notebook.text
    assert "\\u202e" in shown(state(notebook))["shown"]


def test_a_column_whose_name_cannot_stand_on_a_line_is_refused_and_any_other_trains(notebook):
    unwritable = ["two\nlines", "{x}", "both ' and \""]
    writable = ["x" * 10_000, "<b>'s", "price, $", "\u202e\u05e9"]
    notebook.run("import keras\ndef build(): return keras.Sequential([keras.layers.Dense(1)])")
    notebook.shell.user_ns["frame"] = pd.DataFrame({name: [1.0, 2.0] for name in unwritable + writable})
    for name in unwritable:
        fault = shown(state(notebook, target=name))["faults"]["target"]
        assert fault.startswith("expected a column whose name can stand on a line")
    for name in writable:
        assert shown(state(notebook, target=name))["faults"] == {}
    notebook.run(state(notebook, target="price, $", epochs=1, validation_split="").cell.text)
    long = shown(state(notebook, target="price, $", name="y" * 10_000, learning_rate="z" * 10_000))["faults"]
    assert {name: len(text) < 501 for name, text in long.items()} == {"name": True, "learning_rate": True}


def test_what_the_form_has_not_is_an_error(notebook, monkeypatch):
    notebook.run(VARIABLES)
    with pytest.raises(OptionError, match=r"received 'epoch': did you mean epochs\?"):
        TrainForm(epoch=3)
    with pytest.raises(UnknownNameError, match=r"received 'x_trian': did you mean x_train or"):
        TrainForm(data="x_trian")
    with pytest.raises(OptionError, match="expected kind train, tune, received 'fit'"):
        TrainForm("fit")
    with pytest.raises(OptionError, match=r"expected KIND train, tune, received 'tuen': did you mean tune\?"):
        notebook.run("%mltrain form tuen")
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    with pytest.raises(OptionError, match="expected a notebook for a form, received none"):
        TrainForm()
