"""Takes the pictures anew: `.venv/bin/pytest tests/browser/pictures.py`; by its name it is no part of all tests."""

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
TUNE = """%%tune digits --trials 25 --epochs 30
model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
for n in range(hp.Int("layers", 1, 2)):
    model.add(keras.layers.Dense(hp.Int("units", 16, 256, log=True), activation="relu"))
model.add(keras.layers.Dropout(hp.Float("dropout", 0, 0.5)))
model.add(keras.layers.Dense(10, activation="softmax"))
adam = keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, log=True))
model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, validation_data=(x_val, y_val), batch_size=32)"""
REGISTER = [
    TRAIN.replace("--epochs 40 --early-stop 3", f"--seed 1 --epochs {num_epochs}").replace("Conv2D(32", f"Conv2D({filters}")
    for num_epochs, filters in ((3, 8), (10, 16), (20, 32))
]
PROMOTE = [
    '%models promote digits 1 champion --reason "the first that works"',
    '%models promote digits 2 champion --reason "a third of the errors"',
    '%models promote digits 3 champion --reason "a little better still"',
    '%models rollback digits champion --reason "twice as slow on the tablets"',
    '%models promote digits 3 staging --reason "to be made quicker"',
]
BUILD = """def build():
    return keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ])"""
NUM_POINTS = "(document.querySelector('.mlt-training')?.getAttribute('d').match(/[ML]/g) ?? []).length"
THEMES = pytest.mark.parametrize("theme", ["Light", "Dark"])


def browser_of(height: int, scale: float) -> Any:
    window = {"viewport": {"width": 960, "height": height}, "device_scale_factor": scale}
    return pytest.mark.parametrize("open_file", [window], indirect=True)


@browser_of(1000, 1.5)
@THEMES
def test_each_picture_is_small(open_notebook: Any, theme: str) -> None:
    notebook = prepared(open_notebook, theme, TRAIN)
    notebook.page.wait_for_function(f"() => {NUM_POINTS} >= 15", timeout=60_000)
    training = notebook.cell(1).screenshot(path=PICTURES / f"training-{theme.lower()}.png")
    notebook.wait()
    result = notebook.output(1).screenshot(path=PICTURES / f"result-{theme.lower()}.png")
    assert max(len(training), len(result)) < 150_000


@browser_of(1250, 1.25)
@THEMES
def test_so_is_that_of_a_search(open_notebook: Any, theme: str) -> None:
    notebook = prepared(open_notebook, theme, TUNE)
    notebook.output(1).locator(".mlt-trials tbody tr").nth(11).wait_for(timeout=120_000)
    notebook.page.wait_for_function(f"() => {NUM_POINTS} >= 10", timeout=60_000)
    search = notebook.cell(1).screenshot(path=PICTURES / f"search-{theme.lower()}.png")
    notebook.output(1).get_by_role("button", name="Stop").click()
    notebook.wait()
    assert len(search) < 250_000


@browser_of(1000, 1.25)
@THEMES
def test_so_is_that_of_the_registry(open_notebook: Any, theme: str, tmp_path: Path) -> None:
    cells = [f'%config MLTrain.home = "{tmp_path}"', *REGISTER, *PROMOTE, "%models"]
    notebook = prepared(open_notebook, theme, *cells)
    notebook.wait()
    for index in range(2, len(cells) + 1):
        notebook.run(index, timeout=120)
    notebook.output(len(cells)).locator(".mlt-registry").wait_for()
    registry = notebook.cell(len(cells)).screenshot(path=PICTURES / f"registry-{theme.lower()}.png")
    assert len(registry) < 200_000


@browser_of(1000, 1.25)
@THEMES
def test_so_is_that_of_a_form(open_notebook: Any, theme: str) -> None:
    notebook = prepared(open_notebook, theme, BUILD, "%mltrain form")
    notebook.wait()
    notebook.run(2)
    view = notebook.output(2).locator(".mlt-form")
    view.get_by_label("Learning rate", exact=True).fill("-0.1")
    view.get_by_text("expected --lr above 0").wait_for()
    form = notebook.cell(2).screenshot(path=PICTURES / f"form-{theme.lower()}.png")
    assert len(form) < 150_000


@browser_of(1500, 1.25)
@THEMES
def test_so_is_that_of_the_runs(open_notebook: Any, theme: str, tmp_path: Path) -> None:
    cells = [f'%config MLTrain.home = "{tmp_path}"', *REGISTER, "%runs"]
    notebook = prepared(open_notebook, theme, *cells)
    notebook.wait()
    for index in range(2, len(cells) + 1):
        notebook.run(index, timeout=120)
    view = notebook.output(len(cells)).locator(".mlt-runs")
    for ref in ("digits#3", "digits#2"):
        view.get_by_role("checkbox", name=ref).check()
    view.get_by_role("button", name="Compare").click()
    view.get_by_label("Axis").select_option("log")
    for title in ("Results", "Cell of"):
        view.locator("summary", has_text=title).click()
    notebook.page.mouse.move(0, 0)
    runs = notebook.cell(len(cells)).screenshot(path=PICTURES / f"runs-{theme.lower()}.png")
    assert len(runs) < 200_000


def prepared(open_notebook: Any, theme: str, *cells: str) -> Any:
    """Return a notebook in which the first of the cells has begun."""
    notebook = open_notebook(SETUP, *cells)
    notebook.theme(theme)
    notebook.command("application:toggle-left-area")
    notebook.page.add_style_tag(content=".jp-cell-toolbar { display: none !important }")
    notebook.run(0)
    notebook.start(1)
    return notebook
