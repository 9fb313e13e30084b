"""The functions and objects of `import jupyter_mltrain`."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import jupyter_mltrain
from jupyter_mltrain import MLTrainError, load_model, models, runs, train
from jupyter_mltrain.domain.errors import (
    ConflictError,
    DataError,
    MissingExtraError,
    ModelFileError,
    OptionError,
    UnknownNameError,
)
from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.domain.spec import TrainSpec


def test_the_public_surface():
    assert jupyter_mltrain.__all__ == ["MLTrainError", "TrainForm", "load_model", "models", "runs", "searches", "train", "tune"]
    assert {*jupyter_mltrain.__all__, "load_ipython_extension"} <= set(dir(jupyter_mltrain))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = jupyter_mltrain.trian


def test_the_options_of_train_are_those_of_the_specification():
    parameters = dict(inspect.signature(train).parameters)
    assert parameters.pop("body").kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    not_of_the_spec = {"resume", "background", "detach", "notify"}
    assert set(parameters) == {field.name for field in fields(TrainSpec)} - {"model"} | not_of_the_spec
    assert {each.kind for each in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


X = np.random.default_rng(3).normal(size=(32, 2)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("int32")


def classifier():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_train_takes_a_model_and_data(notebook):
    model = classifier()
    run = train(
        model, name="small", data=(X, Y), validation_split=0.25, epochs=2, register="small", tags={"stage": "draft"}, seed=4
    )
    assert (run.ref, run.status, run.result.epochs, run.result.model_id) == ("small#1", "completed", 2, "small@1")
    assert run.history.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert run.tags == {"stage": "draft"}
    assert run.facts["seed"] == 4
    assert run.options["data"] == "<tuple>"
    assert run.folder.parent == notebook.home / "runs"
    np.testing.assert_array_equal(load_model(run).get_weights()[0], model.get_weights()[0])


def test_a_dry_run_returns_an_estimate_and_records_nothing(notebook):
    model = classifier()
    before = model.get_weights()
    estimate = train(model, name="small", data=(X, Y), epochs=3, batch_size=8, dry_run=True)
    assert isinstance(estimate, Estimate)
    assert (estimate.num_trainable, estimate.num_steps, estimate.epochs) == (22, 4, 3)
    assert not notebook.home.exists()
    assert not model.optimizer.built
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_train_takes_the_share_of_memory_for_data(notebook):
    run = train(classifier(), data=(X, Y), plan="epoch", data_memory=0)
    assert run.result.plan == "block"
    with pytest.raises(OptionError, match="expected data_memory from 0 to 1, received -1"):
        train(classifier(), data=(X, Y), data_memory=-1)


def test_train_takes_a_function_that_fits(notebook):
    import keras

    seen = []

    def experiment():
        model = classifier()
        model.fit(X, Y, epochs=2)
        model.fit(X, Y, epochs=1)

    run = train(experiment, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))])
    assert [epoch.phase for epoch in run.epochs] == [1, 1, 2]
    assert seen == [0, 1, 0]
    assert run.source.startswith("def experiment():")
    assert run.name == "run"


def test_train_takes_a_function_that_builds(notebook):
    run = train(classifier, data=(X, Y), epochs=1, lr_schedule="cosine", learning_rate=0.01, metrics=["accuracy"])
    assert run.result.epochs == 1
    assert run.options["lr_schedule"] == "cosine"


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"body": 3}, OptionError, "expected a Keras model or a function to train, received int"),
        ({"body": classifier, "data": "X, Y"}, OptionError, "expected data as an object, received the text 'X, Y'"),
        ({"body": classifier, "precision": "float31"}, OptionError, "expected precision auto, float32, .* received 'float31'"),
        ({"body": classifier, "epochs": 0}, OptionError, "expected --epochs of at least 1"),
        ({"body": classifier, "data": (X[:0], Y[:0])}, DataError, "at least one row"),
    ],
)
def test_train_says_what_it_cannot_do(notebook, arguments, kind, message):
    with pytest.raises(kind, match=message) as caught:
        train(**arguments)
    assert isinstance(caught.value, MLTrainError)


def test_an_exception_of_the_function_passes_and_is_recorded(notebook):
    def broken():
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        train(broken, name="broken")
    assert runs["broken"].status == "failed"
    assert runs["broken"].failure.message == "mine"


@pytest.fixture
def three(notebook):
    train(classifier(), name="a", data=(X, Y), epochs=2, register="net", tags={"stage": "draft"})
    train(classifier(), name="b", data=(X, Y), validation_data=(X, Y), learning_rate=0.1)
    with pytest.raises(OptionError):
        train(classifier(), name="b", data="X")
    return notebook


def test_runs_are_found_counted_and_filtered(three):
    assert len(runs) == 3
    assert [run.ref for run in runs] == ["b#2", "b#1", "a#1"]
    assert runs["b"].ref == "b#2"
    assert len(runs["a#1"].epochs) == 2
    assert [run.ref for run in runs.list(status="failed")] == ["b#2"]
    assert [run.ref for run in runs.list(model="net")] == ["a#1"]
    assert [run.ref for run in runs.list(tags={"stage": "draft"})] == ["a#1"]
    assert [run.ref for run in runs.list(name="b", limit=1)] == ["b#2"]
    assert [run.ref for run in runs.list(best="val_loss")] == ["b#1"]
    assert len(runs.list(since="1h")) == len(runs.list(since=datetime.now(UTC) - timedelta(hours=1))) == 3
    assert runs.list(since=datetime.now(UTC) + timedelta(hours=1)) == ()
    with pytest.raises(UnknownNameError, match="no run named 'b#9': there is b#1, b#2"):
        runs["b#9"]
    with pytest.raises(OptionError, match="expected status running, completed"):
        runs.list(status="ended")


def test_runs_as_a_frame(three):
    frame = runs.frame()
    assert list(frame["ref"]) == ["b#2", "b#1", "a#1"]
    assert list(frame["status"]) == ["failed", "completed", "completed"]
    by_ref = frame.set_index("ref")
    assert by_ref.loc["b#1", "hyperparams.learning_rate"] == 0.1
    assert by_ref.loc["b#1", "metrics.val_loss"] == by_ref.loc["b#1", "best_score"]
    assert by_ref.loc["a#1", "tags.stage"] == "draft"
    assert by_ref.loc["a#1", "model_id"] == "net@1"
    assert list(runs.frame(name="a")["ref"]) == ["a#1"]


def test_an_empty_frame_has_its_columns(notebook):
    frame = runs.frame()
    assert len(frame) == 0
    assert {"ref", "status", "best_score"} <= set(frame.columns)


def test_a_frame_without_pandas_says_how_to_get_it(notebook, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)  # what Python itself writes for a module that must not be imported
    with pytest.raises(MissingExtraError, match=r'pip install "jupyter-mltrain\[frames\]"'):
        runs.frame()


def test_models_are_found_and_load(three):
    train(classifier(), data=(X, Y), register="net")
    assert len(models) == 1
    assert [version.ref for version in models] == ["net@2"]
    assert models["net"].ref == "net@2"
    assert models["net@1"].run_ref == "a#1"
    first, newest = load_model("net@1"), load_model("net")
    assert not np.array_equal(first.get_weights()[0], newest.get_weights()[0])
    for same in (load_model(models["net@1"]), load_model(runs["a"])):
        np.testing.assert_array_equal(same.predict(X, verbose=0), first.predict(X, verbose=0))
    with pytest.raises(UnknownNameError, match="did you mean net"):
        load_model("nett")


def test_aliases_move_and_are_told_from_python(three):
    train(classifier(), data=(X, Y), register="net")
    assert models.promote("net", 1, "champion", reason='"first" {x}').version == 1
    assert models["net@champion"].ref == "net@1"
    np.testing.assert_array_equal(load_model("net@champion").get_weights()[0], load_model("net@1").get_weights()[0])
    assert models.promote("net", 2, "staging", seen=0).version == 2
    assert models.promote("net", "staging", "champion", seen=1).before == 1
    with pytest.raises(ConflictError, match="expected net@champion to stand for version 1 still, received version 2"):
        models.promote("net", 1, "champion", seen=1)
    assert models.rollback("net", "champion", reason="slow", seen=2).version == 1
    assert [(each.version, each.reason) for each in models.history("net", "champion")] == [
        (1, "slow"),
        (2, ""),
        (1, '"first" {x}'),
    ]
    assert [each.alias for each in models.history("net")] == ["champion"] * 3 + ["staging"]
    with pytest.raises(OptionError, match="received net@2, which is staging"):
        models.archive("net", 2)
    assert models.rollback("net", "staging").version is None
    assert models.archive("net", 2, reason="worse").archived.reason == "worse"
    assert models["net"].ref == "net@1"
    assert [(version.ref, version.aliases, version.archived is None) for version in models.versions("net")] == [
        ("net@2", (), False),
        ("net@1", ("champion",), True),
    ]
    assert models.archive("net", 2, undo=True).archived is None
    assert models["net"].ref == "net@2"


def test_the_model_of_a_run_that_registered_none(three):
    assert load_model(runs["b#1"]).count_params() == 22
    with pytest.raises(ModelFileError, match="expected a model of run b#2"):
        load_model(runs["b#2"])


def test_classes_of_the_notebook_or_given_ones(notebook):
    notebook.run("""
        import keras
        class Twice(keras.layers.Layer):
            def call(self, inputs):
                return 2 * inputs
    """)
    twice = notebook["Twice"]
    import keras

    model = keras.Sequential([keras.Input((2,)), twice(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    train(model, data=(X, Y), register="twice")
    notebook.run("from jupyter_mltrain import load_model\nloaded = load_model('twice')")
    np.testing.assert_array_equal(notebook["loaded"].predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(ModelFileError, match="custom_objects"):
        load_model("twice", custom_objects={})
    assert load_model("twice", custom_objects={"Twice": twice}).layers[0].__class__ is twice


def test_what_a_cell_shows(three):
    three.run("from jupyter_mltrain import runs, models\ndisplay(runs['a'])")
    assert three.text.startswith("a#1: completed, 2 epochs")
    assert "<table" in three.outputs[0].data["text/html"]
    assert three.run("display(models['net'])").text.startswith("net@1: ")
    assert three.run("display(runs.list())").text == "(<Run b#2 failed>, <Run b#1 completed>, <Run a#1 completed>)"
    assert three.run("display(list(models))").text == "[<Model net@1>]"
    assert three.run("display(runs)").text.startswith("3 runs\n")
    assert three.run("display(models)").text.splitlines()[1].startswith("  net@1")


SCRIPT = """
import json, sys
import jupyter_mltrain
light = "IPython" not in sys.modules and "tensorflow" not in sys.modules
import keras, numpy as np
class Twice(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs
def experiment():
    model = keras.Sequential([keras.Input((2,)), Twice(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=2)
run = jupyter_mltrain.train(experiment, name="script", register="plain")
weights = [jupyter_mltrain.load_model(which).get_weights()[0].tolist() for which in ("plain", run)]
print(json.dumps([light, run.ref, run.source, weights[0] == weights[1], len(jupyter_mltrain.runs)]))
"""


def test_a_script_without_a_notebook(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    light, ref, source, same, number = json.loads(done.stdout)
    assert (light, ref, same, number) == (True, "script#1", True, 1)
    assert source.startswith("def experiment():\n    model = ")
    assert (tmp_path / ".mltrain" / "mltrain.db").exists()
