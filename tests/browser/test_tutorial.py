"""The first tutorial as a person meets it: open it, run it, change it, stop it, save it, come back tomorrow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TUTORIAL = Path(__file__).parents[2] / "notebooks" / "01_first_run.ipynb"
NUM_POINTS = "(document.querySelector('.mlt-training')?.getAttribute('d').match(/[ML]/g) ?? []).length"
IS_TRUSTED = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
    .filter(cell => cell.type === "code").every(cell => cell.trusted)"""
SOURCE = "index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.getSource()"
SET_SOURCE = """([index, source]) =>
    window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(source)"""


@pytest.fixture
def tutorial(server: Any) -> Path:
    """A copy of the tutorial in the server's folder."""
    copy: Path = server.root / TUTORIAL.name
    copy.write_text(TUTORIAL.read_text())
    return copy


def index_of_training(path: Path) -> int:
    sources = ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]
    return next(i for i, source in enumerate(sources) if source.startswith("%%train"))


def copy_from_elsewhere(path: Path) -> Path:
    """Save a copy that says nothing of a kernel; with the change goes the signature by which it was trusted."""
    notebook = json.loads(path.read_text())
    notebook["metadata"] = {}
    copy = path.with_name("from_elsewhere.ipynb")
    copy.write_text(json.dumps(notebook))
    return copy


def test_it_runs_from_top_to_bottom(open_file: Any, expect: Any, tutorial: Path) -> None:
    notebook = open_file(tutorial)
    notebook.run_all(timeout=120)
    training = notebook.output(index_of_training(tutorial))
    expect(training).to_contain_text("digits: completed, 20 epochs")
    expect(training.locator("img")).to_be_visible()
    expect(notebook.page.locator("[data-mime-type$='.error'], [data-mime-type$='.stderr']")).to_have_count(0)
    assert notebook.external == []


def test_stopped_saved_and_opened_again(open_file: Any, expect: Any, tutorial: Path) -> None:
    index = index_of_training(tutorial)
    notebook = open_file(tutorial)
    notebook.command("notebook:clear-all-cell-outputs")  # the saved ones of cells that do not run here are not trusted
    for before in range(index):
        notebook.run(before)
    source = notebook.js(SOURCE, index)
    notebook.js(SET_SOURCE, [index, source.replace("--epochs 20 --early-stop 3", "--epochs 3000")])
    notebook.start(index)
    for num_points in (5, 10):
        notebook.page.wait_for_function(f"least => {NUM_POINTS} >= least", arg=num_points, timeout=60_000)
    notebook.output(index).get_by_role("button", name="Stop").click()
    notebook.wait()
    check_result(notebook, index, expect)
    assert "widget-view" not in notebook.save()
    notebook.command("kernelmenu:shutdown")

    again = open_file(tutorial)
    check_result(again, index, expect)
    assert again.js(IS_TRUSTED)

    elsewhere = open_file(copy_from_elsewhere(tutorial), has_kernel=False)
    elsewhere.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()
    check_result(elsewhere, index, expect)
    assert not elsewhere.js(IS_TRUSTED)


def check_result(notebook: Any, index: int, expect: Any) -> None:
    """Check that the cell shows what stays: headline, table and picture, and nothing that is broken."""
    output = notebook.output(index)
    expect(output).to_contain_text("digits: stopped after")
    expect(output.get_by_role("row", name="accuracy")).to_be_visible()
    picture = output.locator("img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    assert picture.evaluate("img => img.naturalWidth") > 300
    expect(output).not_to_contain_text("model not found")
    expect(output).not_to_contain_text("Error displaying widget")
    assert notebook.external == []
