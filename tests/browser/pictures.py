"""Takes the README's pictures anew: `.venv/bin/pytest tests/browser/pictures.py`; by its name it is no part of all tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PICTURES = Path(__file__).parents[2] / "notebooks" / "pictures"
SETUP = """%load_ext jupyter_mltrain
import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
images, labels = load_digits(return_X_y=True)
x_train, x_val, y_train, y_val = train_test_split(images.reshape(-1, 8, 8, 1) / 16, labels, random_state=0)"""
TRAIN = """%%train digits --epochs 40 --early-stop 3 --register digits
model = keras.Sequential([
    keras.Input((8, 8, 1)),
    keras.layers.Conv2D(32, 3, activation="relu"),
    keras.layers.Dropout(0.3),
    keras.layers.Flatten(),
    keras.layers.Dense(10, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, validation_data=(x_val, y_val), batch_size=32)"""
NUM_POINTS = "(document.querySelector('.mlt-training')?.getAttribute('d').match(/[ML]/g) ?? []).length"


@pytest.mark.parametrize("open_file", [{"viewport": {"width": 960, "height": 1000}, "device_scale_factor": 1.5}], indirect=True)
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_each_picture_is_small(open_notebook: Any, theme: str) -> None:
    notebook = open_notebook(SETUP, TRAIN)
    notebook.command("apputils:change-theme", {"theme": f"JupyterLab {theme}"})
    notebook.command("application:toggle-left-area")
    notebook.page.add_style_tag(content=".jp-cell-toolbar { display: none !important }")
    notebook.run(0)
    notebook.start(1)
    notebook.page.wait_for_function(f"() => {NUM_POINTS} >= 15", timeout=60_000)
    training = notebook.cell(1).screenshot(path=PICTURES / f"training-{theme.lower()}.png")
    notebook.wait()
    result = notebook.output(1).screenshot(path=PICTURES / f"result-{theme.lower()}.png")
    assert max(len(training), len(result)) < 150_000
