"""A search in JupyterLab: seen while it runs, stopped, and what of it stays in the notebook."""

from __future__ import annotations

import ast
from typing import Any

import pytest

PREPARE = """
%load_ext jupyter_mltrain
%config MLTrain.home = "{home}"
import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
images, labels = load_digits(return_X_y=True)
x_train, x_val, y_train, y_val = train_test_split(images / 16, labels, random_state=0)
"""
TUNE = """%%tune digits --trials {num_trials} --epochs {num_epochs} --seed 1
model = keras.Sequential([
    keras.Input((64,)),
    keras.layers.Dense(hp.Int("units", 16, 256, log=True), activation=hp.Choice("activation", ["relu", "tanh"])),
    keras.layers.Dropout(hp.Float("dropout", 0, 0.5)),
    keras.layers.Dense(10, activation="softmax"),
])
adam = keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, log=True))
model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, validation_data=(x_val, y_val))
"""
SEEN = "print(search.status, [trial.status.value for trial in search.trials])"


class Searching:
    """A notebook whose second cell searches."""

    def __init__(self, open_notebook: Any, home: Any, *, num_trials: int, num_epochs: int) -> None:
        cells = PREPARE.format(home=home), TUNE.format(num_trials=num_trials, num_epochs=num_epochs), SEEN
        self.notebook = open_notebook(*cells)
        self.notebook.run(0)
        self.output = self.notebook.output(1)
        self.view = self.output.locator(".mlt")

    def start(self, *, until_row: int) -> None:
        """Begin the search and wait until a trial is in the live view's table."""
        self.notebook.start(1)
        self.view.locator(".mlt-trials tbody tr").nth(until_row - 1).wait_for(timeout=60_000)

    def stop(self) -> None:
        """Press Stop and wait until the cell has ended."""
        self.view.get_by_role("button", name="Stop").click()
        self.notebook.wait()


@pytest.fixture
def searching(open_notebook: Any, tmp_path: Any) -> Any:
    """A function that opens a notebook with a search; afterwards the page must have reported no error."""
    opened: list[Searching] = []

    def open_(num_trials: int, num_epochs: int) -> Searching:
        opened.append(Searching(open_notebook, tmp_path / "home", num_trials=num_trials, num_epochs=num_epochs))
        return opened[0]

    yield open_
    assert opened[0].notebook.errors == []
    assert opened[0].notebook.external == []


def test_seen_stopped_kept_and_opened_again(searching: Any, expect: Any, tmp_path: Any) -> None:
    search = searching(num_trials=500, num_epochs=60)
    notebook, view = search.notebook, search.view
    search.start(until_row=8)
    expect(view.locator(".mlt-place")).to_contain_text("of 500")
    expect(view.locator(".mlt-trials tbody tr.mlt-is-best")).to_have_count(1)
    expect(view.get_by_role("img", name="score by trial").locator(".mlt-is-best")).to_have_count(1)
    screenshots(notebook, tmp_path, "search", selector=".mlt")
    search.stop()
    expect(view).to_have_count(0)
    check_result(search, expect)
    screenshots(notebook, tmp_path, "found", selector=".mltrain")
    notebook.run(2)
    status, _, statuses = notebook.output(2).inner_text().partition(" ")
    *before, last = ast.literal_eval(statuses)
    assert (status, {*before} <= {"completed", "pruned"}, len(before) >= 3) == ("stopped", True, True)
    assert last in ("stopped", "pruned")  # just when it is stopped, it may be found to be behind
    assert "widget-view" not in notebook.save()
    notebook.open()
    check_result(search, expect)


def screenshots(notebook: Any, folder: Any, name: str, *, selector: str) -> None:
    """Take a picture in each theme, and let axe-core look at the last."""
    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        notebook.output(1).screenshot(path=folder / f"{name}-{theme.lower()}.png")
    assert notebook.accessibility_faults(selector) == []


def check_result(search: Searching, expect: Any) -> None:
    """Check that the cell shows what stays, and nothing that TensorFlow says."""
    output = search.output
    expect(output).to_contain_text("digits: stopped")
    expect(output.get_by_role("columnheader", name="val_loss")).to_be_visible()
    picture = output.locator("img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    assert picture.evaluate("img => img.naturalWidth") > 300
    expect(output).not_to_contain_text("Error displaying widget")
    expect(search.notebook.page.locator("[data-mime-type$='.error'], [data-mime-type$='.stderr']")).to_have_count(0)
