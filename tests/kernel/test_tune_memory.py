"""What a search leaves in memory from one trial to the next: nothing of TensorFlow, whatever the architectures."""

from __future__ import annotations

import ast

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import collections, gc, keras, numpy as np, threading
from tensorflow.python.framework.func_graph import FuncGraph
x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
def num_live():
    gc.collect()
    found = [type(each) for each in gc.get_objects()]
    kinds = {"graphs": FuncGraph, "models": keras.Model, "layers": keras.Layer, "variables": keras.Variable}
    return {name: sum(issubclass(each, kind) for each in found) for name, kind in kinds.items()} | {
        "threads": sum(type(each).__module__.partition(".")[0] != "zmq" for each in threading.enumerate())
    }
"""
CELL = """
model = keras.Sequential([keras.Input((8,))])
for n in range(hp.Int("layers", 1, 4)):
    model.add(keras.layers.Dense(hp.Int(f"units_{n}", 2, 64), "relu"))
model.add(keras.layers.Dense(2, "softmax"))
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, epochs=2, validation_split=0.25)
"""


def test_nothing_of_a_trial_stays(kernel):
    assert kernel.run(PREPARE).status == "ok"
    found = []
    for line in ("wide --trials 20", "--resume wide --trials 40"):
        assert kernel.run(f"%%tune {line} --oracle random --seed 3{CELL}").status == "ok"
        found.append(ast.literal_eval(kernel.value("num_live()")))
    after_20, after_40 = found
    assert len({*ast.literal_eval(kernel.value("[len(each.trial.values) for each in search.trials]"))}) == 4
    assert after_40 == after_20
    assert after_40["models"] == after_40["layers"] == after_40["variables"] == 0
