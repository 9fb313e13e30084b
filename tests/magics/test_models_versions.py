"""`%models verify`, `diff` and `export` on models that were really trained and registered."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from jupyter_mltrain import load_model, models, runs
from jupyter_mltrain.domain.errors import MissingExtraError, ModelFileError, OptionError, UnknownNameError
from jupyter_mltrain.magics.extension import session_of
from jupyter_mltrain.widgets.registry_state import RegistryState

LOG_LINE = re.compile(r"^(?:[IWE]\d{4} |WARNING|\d{4}-\d\d-\d\d [\d:.]+: [IWE] ).*", re.MULTILINE)


@pytest.fixture
def two(tiny):
    """A notebook with two versions of `net`, the second wider and with a Dropout."""
    tiny.run("%%train first --register net --seed 1\nmodel = net(); model.fit(x, y, validation_split=0.5)")
    tiny.run("""
        %%train second --register net --seed 1 --epochs 2
        model = keras.Sequential([keras.Input((2,)), layers.Dense(8, "relu"), layers.Dropout(0.25), layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, validation_split=0.5)
    """)
    return tiny


def damage(ref):
    path = models[ref].path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_verify_tells_of_each_file(two):
    header, newest, oldest = two.run("%models verify net").text.splitlines()
    assert header.split()[:3] == ["version", "file", "sha256"]
    assert [row.split()[:3] for row in (newest, oldest)] == [["net@2", "as", "registered"], ["net@1", "as", "registered"]]
    assert len(two.run("%models verify net 1").text.splitlines()) == 2


def test_a_damaged_file_is_shown_and_is_an_error(two):
    damage("net@1")
    two.try_run("%models verify net")
    assert isinstance(two.error, ModelFileError)
    assert "received a changed or damaged file" in str(two.error)
    assert [row.split()[1] for row in two.text.splitlines()[1:]] == ["as", "damaged"]
    two.run("%models verify net 2")
    assert [bool(each.trouble) for each in models.verify("net")] == [False, True]
    two.try_run("%models diff net 1 2")
    assert "received a changed or damaged file" in str(two.error)
    two.try_run("%models export net 1 --to copy.keras")
    assert "received a changed or damaged file" in str(two.error)


def test_diff_tells_metrics_layers_hyperparameters_and_cells(two):
    two.run("%models promote net 1 champion\n%models diff net champion 2")
    text = two.text.partition("\nMetrics")[2]
    rows = [line.split() for line in text.splitlines()]
    assert ["layer", "is", "net@1", "net@2"] in rows
    assert ["Dense", "changed", "units", "4", "units", "8"] in rows
    assert ["Dropout", "added", "rate", "0.25"] in rows
    assert ["InputLayer", "the", "same"] in rows
    assert ["options.epochs", "2"] in rows
    assert ["parameters", "22", "42", "+20"] in rows
    assert "-model = net(); model.fit(x, y, validation_split=0.5)" in text
    compared = models.diff("net", 1, "2")
    assert [version.ref for version in compared.versions] == ["net@1", "net@2"]
    assert [run.ref for run in compared.runs] == ["first#1", "second#1"]


def test_diff_of_versions_whose_run_was_removed(two):
    two.run("%runs rm first")
    text = two.run("%models diff net 1 2").text
    assert "Runs: removed, so that hyperparameters and cells cannot be compared: first#1." in text
    assert "Dropout" in text


def test_a_keras_file_is_copied(two, tmp_path):
    assert two.run("%models export net 2 --to out/deep/best.keras").text == "net@2: exported as keras to out/deep/best.keras."
    assert (tmp_path / "out" / "deep" / "best.keras").read_bytes() == models["net@2"].path.read_bytes()
    (tmp_path / "old.keras").write_bytes(b"old")
    assert models.export("net", 1, to=tmp_path / "old.keras") == tmp_path / "old.keras"
    assert (tmp_path / "old.keras").read_bytes() == models["net@1"].path.read_bytes()


def test_a_saved_model_predicts_the_same_and_is_replaced_whole(two, tmp_path):
    import tensorflow as tf

    x, folder = two["x"], tmp_path / "serving" / "1"
    for version in (1, 2):
        two.run(f"%models export net {version} --format savedmodel --to serving/1")
        assert (two.stdout, two.stderr) == ("", "")
        loaded = tf.saved_model.load(str(folder))
        np.testing.assert_allclose(loaded.serve(x), load_model(f"net@{version}").predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_a_litert_file_predicts_the_same(two, tmp_path, capfd):
    import tensorflow as tf

    two.run("%models export net 2 --format litert --to net.tflite")
    assert (two.stdout, two.stderr) == ("", "")
    assert LOG_LINE.findall(capfd.readouterr().err) == []
    interpreter = tf.lite.Interpreter(str(tmp_path / "net.tflite"))
    x = two["x"][:1]
    (asked,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.allocate_tensors()
    interpreter.set_tensor(asked["index"], x)
    interpreter.invoke()
    expected = load_model("net@2").predict(x, verbose=0)
    np.testing.assert_allclose(interpreter.get_tensor(given["index"]), expected, rtol=1e-4, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "net.tflite"]


def test_an_onnx_file_predicts_the_same(two, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    two.run("%models export net 2 --format onnx --to net.onnx")
    x = two["x"]
    runtime = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (given,) = runtime.run(None, {runtime.get_inputs()[0].name: x})
    np.testing.assert_allclose(given, load_model("net@2").predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_without_its_library_onnx_says_what_to_install(two, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # what Python itself writes for a module that must not be imported
    two.try_run("%models export net 2 --format onnx --to net.onnx")
    assert isinstance(two.error, MissingExtraError)
    assert 'pip install "jupyter-mltrain[onnx]"' in str(two.error)
    assert not (tmp_path / "net.onnx").exists()


def test_a_model_that_cannot_be_exported_leaves_nothing(tiny, tmp_path):
    tiny.run("""
        class Net(keras.Model):
            def __init__(self, **options):
                super().__init__(**options)
                self.dense = layers.Dense(2, "softmax")
            def call(self, inputs):
                if bool(keras.ops.convert_to_numpy(inputs).sum() > 1e9):
                    return inputs
                return self.dense(inputs)
    """)
    tiny.run("""
        %%train --register eager
        model = Net()
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        model.fit(x, y)
    """)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "saved_model.pb").write_bytes(b"old")
    tiny.try_run("%models export eager 1 --format savedmodel --to old")
    assert isinstance(tiny.error, ModelFileError)
    assert "expected a model that Keras can export as savedmodel" in str(tiny.error)
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["saved_model.pb"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "old"]


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("verify nett", UnknownNameError, "no model named 'nett': did you mean net?"),
        ("verify net 9", UnknownNameError, "no model named 'net@9'"),
        ("diff net 1", OptionError, "expected VERSION for %models diff, received none"),
        ("diff net 1 1", OptionError, "expected two versions to compare, received net@1 twice"),
        ("export net 1", OptionError, "expected --to for %models export, received none"),
        ("export net 1 --to x.h5", OptionError, "expected --to with a file that ends in .keras, received"),
        ("export net 1 --to x --format tflite", OptionError, "expected --format keras, savedmodel, onnx, litert, received"),
        ("export net 1 --to . --format savedmodel", OptionError, "expected --to with a new folder, or with a SavedModel"),
        ("export net 1 --to /proc/x.keras", OptionError, "expected --to with a place that can be written, received /proc"),
    ],
)
def test_errors_are_one_line_that_helps(two, line, kind, message):
    two.try_run(f"%models {line}")
    assert isinstance(two.error, kind)
    assert message in str(two.error)
    assert two.stdout == f"{kind.__name__}: {two.error}\n"


def test_a_format_that_there_is_not_from_python(two):
    with pytest.raises(OptionError, match="expected format keras, savedmodel, onnx, litert, received 'h5'"):
        models.export("net", 1, to="x.h5", format="h5")
    assert runs["first"].result.model_id == "net@1"


def test_the_buttons_of_the_registry_compare_and_export(two, tmp_path):
    registry = RegistryState(session_of(two.shell))
    registry.do({"cmd": "compare", "model": "net", "version": 2, "with": "1"})
    shown = registry.snapshot()
    assert shown["said"]["code"] == "import jupyter_mltrain\njupyter_mltrain.models.diff('net', 1, 2)"
    assert shown["detail"]["title"] == "net@1 and net@2"
    assert re.search(r"Dropout.*added", shown["detail"]["html"], re.DOTALL)
    to = str(tmp_path / "net.keras")
    registry.do({"cmd": "export", "model": "net", "version": 2, "format": "keras", "to": to})
    shown = registry.snapshot()
    assert shown["said"]["text"] == f"net@2: exported as keras to {to}."
    assert (tmp_path / "net.keras").read_bytes() == models["net@2"].path.read_bytes()
    code = shown["said"]["code"]
    (tmp_path / "net.keras").unlink()
    two.run(code)
    assert (tmp_path / "net.keras").exists()
    registry.do({"cmd": "export", "model": "net", "version": 2, "format": "onnx", "to": to})
    assert "expected --to with a file that ends in .onnx" in registry.snapshot()["said"]["text"]
    assert registry.snapshot()["detail"] is not None
    registry.do({"cmd": "close"})
    assert registry.snapshot()["detail"] is None
