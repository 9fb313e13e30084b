"""`%runs board` in a real kernel."""

from __future__ import annotations

import psutil

from jupyter_mltrain.engine.board_server import find_server
from jupyter_mltrain.store.processes import is_alive

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.live = False
import jupyter_mltrain, keras, numpy as np
x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
jupyter_mltrain.train(model, data=(x, y), epochs=2, name="digits")
"""


def test_its_text_is_the_same_each_time_and_it_ends_with_the_kernel(kernel, tmp_path):
    assert kernel.run(PREPARE).status == "ok"
    expected = ["TensorBoard: digits#1.", "curves of loss: 2 epochs"]
    shown = kernel.run("%runs board digits")
    assert (shown.texts, shown.streams) == (expected, {"stdout": "", "stderr": ""})
    (file,) = (tmp_path / "home" / "board").glob("*.json")
    first = find_server(file).process
    kernel.interrupt()
    assert kernel.run("%runs board --stop").texts == ["TensorBoard: stopped."]
    assert not is_alive(first)
    assert kernel.run("%runs board digits").texts == expected
    second = psutil.Process(find_server(file).process.pid)
    kernel.manager.shutdown_kernel(now=True)
    psutil.wait_procs([second], timeout=30)
    assert not second.is_running()
    assert not file.exists()
