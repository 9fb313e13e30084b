"""How long a cell takes under `%%train --plan keras`, over the bare cell, in a real kernel: what all but the plan costs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any

from jupyter_client.manager import start_new_kernel

_SETUP = """
%load_ext jupyter_mltrain
import keras, numpy as np
from keras import layers
rng = np.random.default_rng(1)
def data(*shape):
    x = rng.normal(size=shape).astype("float32")
    return x, (x.reshape(len(x), -1).mean(axis=1) > 0).astype("int32")
"""
_MODELS = {
    "MLP": ("(20_000, 20)", 'layers.Dense(64, "relu"), layers.Dense(64, "relu")'),
    "CNN": ("(2_000, 28, 28, 1)", 'layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()'),
    "LSTM": ("(2_000, 24, 8)", "layers.LSTM(32)"),
}
_CELL = """
model = keras.Sequential([keras.Input(x.shape[1:]), {layers}, layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, validation_split=0.1, epochs={epochs}{quiet})
"""


def measure(*, seconds: float, num_rounds: int) -> Iterator[tuple[str, str]]:
    """Yield for each model the medians of the bare cell, silent and with Keras's progress bar, and of `%%train`.

    Args:
        seconds: about how long the bare cell is to train.
        num_rounds: how often each of the three cells is run, in turn, with a new model each time.
    """
    with _kernel() as client:
        _run(client, _SETUP)
        for name, (shape, layers) in _MODELS.items():
            _run(client, f"x, y = data(*{shape})")
            epochs = _num_epochs(client, layers, seconds)
            first = _run(client, "%%train --plan keras" + _CELL.format(layers=layers, epochs=1, quiet=""))
            again = _run(client, "%%train --plan keras" + _CELL.format(layers=layers, epochs=1, quiet=""))
            if name == next(iter(_MODELS)):
                yield "first `%%train` of a kernel, over the next", f"{first - again:.1f} s"
            yield f"{name}, {epochs} epochs", _compared(client, layers, epochs, num_rounds)


def _compared(client: Any, layers: str, epochs: int, num_rounds: int) -> str:
    silent = _CELL.format(layers=layers, epochs=epochs, quiet=", verbose=0")
    default = _CELL.format(layers=layers, epochs=epochs, quiet="")
    rounds = [[_run(client, cell) for cell in (silent, default, "%%train --plan keras" + default)] for _ in range(num_rounds)]
    bare, with_bar, trained = map(median, zip(*rounds, strict=True))
    return (
        f"silent cell {bare:.1f} s, with its progress bar {with_bar:.1f} s, `%%train` {trained:.1f} s: "
        f"{trained / bare:.3f} of the silent one, {trained / with_bar:.3f} of the other"
    )


def _num_epochs(client: Any, layers: str, seconds: float) -> int:
    """Return how many epochs the bare cell does in that time, after those in which the machine warms up."""
    few, more = (_run(client, _CELL.format(layers=layers, epochs=epochs, quiet=", verbose=0")) for epochs in (2, 6))
    return max(1, round(seconds / ((more - few) / 4)))


@contextmanager
def _kernel() -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as home:
        manager, client = start_new_kernel(env={**os.environ, "MLTRAIN_HOME": home})
        try:
            yield client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def _run(client: Any, code: str) -> float:
    """Run a cell as a front end does, and return its seconds from the request to the kernel's idle."""
    started = perf_counter()
    reply = client.execute_interactive(code, timeout=600, output_hook=lambda _message: None)
    seconds = perf_counter() - started
    assert reply["content"]["status"] == "ok", reply["content"]
    return seconds
