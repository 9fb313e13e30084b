"""`%models` on models that were really trained and registered."""

from __future__ import annotations

import numpy as np
import pytest

from jupyter_mltrain import load_model, models, runs
from jupyter_mltrain.domain.errors import ModelFileError, OptionError, UnknownNameError


def test_list_is_the_default_and_leaves_no_value(trained):
    trained.run("%models")
    header, row = trained.text.splitlines()
    assert header.split()[0] == "model"
    assert row.split()[0] == "net@1"
    assert "digits#2" in row
    assert trained["Out"] == {}


def test_show_takes_a_name_or_a_version(trained):
    trained.run("%models show net")
    newest = trained.text
    assert newest.startswith('net@1: jupyter_mltrain.load_model("net@1")')
    assert models["net@1"].sha256 in newest
    assert trained.run("%models show net@1").text == newest


def test_a_run_can_be_registered_later(trained):
    version = models.register("later", "digits#1")
    assert (version.ref, version.run_ref, version.num_params) == ("later@1", "digits#1", models["net"].num_params - 20)
    assert version.metrics == runs["digits#1"].result.best_metrics
    assert runs["digits#1"].result.model_id == "later@1"
    assert runs.list(model="later") == runs.list(contains="later@1")
    np.testing.assert_array_equal(load_model("later").get_weights()[0], load_model("digits#1").get_weights()[0])
    with pytest.raises(ModelFileError, match=r"expected a model of run other#1 in .*, there is none: run its cell again"):
        models.register("later", "other#1")
    with pytest.raises(OptionError, match="expected a model name"):
        models.register("../later", "digits#1")


def test_a_loaded_model_predicts_what_the_trained_one_did(tiny):
    tiny.run("%%train --register small.net --early-stop 5 --epochs 3\nmodel = net(); model.fit(x, y)")
    tiny.run("%models load small.net")
    assert tiny.text == "small.net@1: the variable small_net."
    tiny.run("trained, loaded = model.predict(x, verbose=0), small_net.predict(x, verbose=0)")
    np.testing.assert_array_equal(tiny["loaded"], tiny["trained"])
    tiny.run("%models load small.net@1 --as again\ntrained = again.evaluate(x, y, verbose=0, return_dict=True)")
    assert tiny["trained"]["loss"] == pytest.approx(tiny["run"].result.best_metrics["loss"], abs=0.1)
    assert set(tiny["trained"]) == {"loss", "accuracy"}


def test_a_model_with_a_layer_of_the_notebook_loads_in_that_notebook(tiny):
    tiny.run("""
        class Scale(layers.Layer):
            def __init__(self, factor, **kwargs):
                super().__init__(**kwargs)
                self.factor = factor
            def call(self, inputs):
                return inputs * self.factor
            def get_config(self):
                return {**super().get_config(), "factor": self.factor}
        def halved(inputs):
            return inputs / 2
    """)
    tiny.run("""
        %%train --register scaled --loss mse
        model = keras.Sequential([keras.Input((2,)), Scale(3.0), layers.Dense(1, activation=halved)])
        model.compile("sgd", "mse")
        model.fit(x, y)
    """)
    tiny.run("%models load scaled\nfirst, second = model.predict(x, verbose=0), scaled.predict(x, verbose=0)")
    np.testing.assert_array_equal(tiny["second"], tiny["first"])
    tiny.run("del Scale, scaled")
    tiny.try_run("%models load scaled")
    assert isinstance(tiny.error, ModelFileError)
    assert "expected Scale of the model to be at hand" in str(tiny.error)
    assert tiny.stdout == f"ModelFileError: {tiny.error}\n"
    assert "scaled" not in tiny.shell.user_ns


def test_a_subclassed_model_as_most_people_write_it_loads(tiny):
    tiny.run("""
        class Net(keras.Model):
            def __init__(self, units=1):
                super().__init__()
                self.dense = layers.Dense(units)
            def call(self, inputs):
                return self.dense(inputs)
    """)
    tiny.run("%%train --register subclassed\nmodel = Net(); model.compile('sgd', 'mse'); model.fit(x, y)")
    tiny.run("%models load subclassed\nfirst, second = model.predict(x, verbose=0), subclassed.predict(x, verbose=0)")
    np.testing.assert_array_equal(tiny["second"], tiny["first"])


def test_the_users_own_mae_is_not_taken_for_kerass(tiny):
    tiny.run("def mae(y_true, y_pred): return keras.ops.mean(y_pred * 0 + 7)")
    tiny.run("model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])")
    tiny.run("%%train --register named\nmodel.compile('sgd', 'mse', metrics=['mae']); model.fit(x, y)")
    tiny.run("%models load named\nerror = named.evaluate(x, y, verbose=0, return_dict=True)['mae']")
    assert tiny["error"] != 7


def test_a_damaged_file_is_one_clear_error(trained):
    path = models["net"].path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    trained.try_run("%models load net")
    assert isinstance(trained.error, ModelFileError)
    assert "received a changed or damaged file" in str(trained.error)
    assert trained.stdout == f"ModelFileError: {trained.error}\n"
    path.unlink()
    trained.try_run("%models load net")
    assert "expected the file of net@1" in str(trained.error)


def test_a_model_that_only_its_weights_could_be_saved_of_says_how_to_load_it(tiny):
    tiny.run("""
        class Opaque(layers.Layer):
            def call(self, inputs):
                return inputs * 2
            def get_config(self):
                raise NotImplementedError
        def opaque():
            model = keras.Sequential([keras.Input((2,)), Opaque(), layers.Dense(1)])
            model.compile("sgd", "mse")
            return model
    """)
    tiny.run("%%train --register opaque\nmodel = opaque(); model.fit(x, y)")
    tiny.try_run("%models load opaque --as loaded")
    assert isinstance(tiny.error, ModelFileError)
    assert "holds weights only" in str(tiny.error)
    weights = models["opaque"].path
    assert f"model.load_weights('{weights}')" in str(tiny.error)
    tiny.run(f"again = opaque(); again.load_weights('{weights}')")
    tiny.run("first, second = model.predict(x, verbose=0), again.predict(x, verbose=0)")
    np.testing.assert_array_equal(tiny["second"], tiny["first"])


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("lod net", OptionError, "received 'lod': did you mean load?"),
        ("load nett", UnknownNameError, "no model named 'nett': did you mean net?"),
        ("load net@7", UnknownNameError, "no model named 'net@7': did you mean net@1?"),
        ("show", OptionError, "expected MODEL for %models show, received none: %models? is the manual"),
        ("load net --as for", OptionError, "expected --as with a name that a variable can have, received 'for'"),
        ("load net --as a-b", OptionError, "expected --as with a name that a variable can have, received 'a-b'"),
    ],
)
def test_errors_are_one_line_that_helps(trained, line, kind, message):
    trained.try_run(f"%models {line}")
    assert isinstance(trained.error, kind)
    assert message in str(trained.error)


def test_a_variable_of_the_user_is_not_overwritten_unasked(trained):
    trained.run("net = [1, 2]")
    trained.try_run("%models load net")
    assert "it holds a list: add --as net_model" in str(trained.error)
    assert trained["net"] == [1, 2]
    trained.run("%models load net --as net\n%models load net")
    assert trained["net"].count_params() == 42
