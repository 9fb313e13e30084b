"""What a notebook with `%%train` is once it is saved, and what other tools make of it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

METADATA = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
SETUP = """%load_ext jupyter_mltrain
import keras, numpy as np
from keras import layers
x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
"""
MODEL = """
model = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""
FIT = MODEL + "model.fit(x, y, validation_split=0.25)"
SETTINGS_OF_THIS_PROCESS = ("TF_CPP_MIN_LOG_LEVEL", "MLTRAIN_HOME")
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def save(folder: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=METADATA)
    path = folder / "notebook.ipynb"
    nbformat.write(notebook, path)
    return path


def execute(folder: Path, *cells: str) -> nbformat.NotebookNode:
    """Run cells in a new kernel as a front end does, save the notebook, and return what was saved."""
    path = save(folder, *cells)
    notebook = nbformat.read(path, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        for name in SETTINGS_OF_THIS_PROCESS:
            patch.delenv(name, raising=False)
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(notebook, path)
    return nbformat.read(path, as_version=4)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module as a user does in a shell, in the notebook's folder."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS_OF_THIS_PROCESS}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def shown(cell: Any, mime: str) -> list[str]:
    return [output.data[mime] for output in cell.outputs if output.get("data", {}).get(mime)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    train = "%%train digits --seed 1 --epochs 200 --register digits" + FIT
    changing = "print(*(run.id, run.ref, run.folder.parent.parent, run.result.model_id, run.process.pid), sep='\\n')"
    return execute(tmp_path_factory.mktemp("saved"), SETUP, train, changing)


class TestWhatStays:
    def test_readable_lines(self, trained: nbformat.NotebookNode) -> None:
        result, curves = shown(trained.cells[1], "text/plain")
        headline, columns, loss, accuracy, *sentences = result.splitlines()
        assert headline == "digits: completed, 200 epochs, best epoch 200 by val_loss"
        assert columns.split() == ["epoch", "200", "train", "validation"]
        assert [line.split()[0] for line in (loss, accuracy)] == ["loss", "accuracy"]
        assert 'Registered as digits: jupyter_mltrain.load_model("digits")' in sentences
        assert curves == "curves of loss, accuracy: 200 epochs"

    def test_a_table_and_a_picture(self, trained: nbformat.NotebookNode) -> None:
        (table,) = shown(trained.cells[1], "text/html")
        (picture,) = shown(trained.cells[1], "image/png")
        assert '<th scope="row">accuracy' in table
        assert base64.b64decode(picture).startswith(b"\x89PNG")

    def test_nothing_that_changes_with_every_run(self, trained: nbformat.NotebookNode) -> None:
        changing = trained.cells[2].outputs[0].text.split()
        lines = "".join(shown(trained.cells[1], "text/plain") + shown(trained.cells[1], "text/html"))
        assert len(changing) == 5
        assert [text for text in changing if text in lines] == []

    def test_nothing_alive_and_little_of_it(self, trained: nbformat.NotebookNode) -> None:
        saved = json.dumps(trained.cells[1].outputs)
        assert "widget-view" not in saved
        assert len(saved) < 100_000

    def test_a_page_for_others(self, trained: nbformat.NotebookNode) -> None:
        page, _ = HTMLExporter().from_notebook_node(trained)
        assert 'src="data:image/png;base64,' in page
        assert '<th scope="row">accuracy' in page
        assert "LiveWidget" not in page.partition("<body")[2].partition("jupyter.widget-state")[0]


@pytest.mark.parametrize("strategy", ["auto", "mirrored"])
def test_no_log_line_from_loading_to_the_end(tmp_path: Path, strategy: str) -> None:
    two_devices = """import tensorflow as tf
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)"""
    notebook = execute(tmp_path, SETUP, two_devices, f"%%train --strategy {strategy}" + FIT, "run.status")
    streams = [output.text for cell in notebook.cells for output in cell.outputs if output.output_type == "stream"]
    assert streams == []
    assert shown(notebook.cells[3], "text/plain") == ["<RunStatus.COMPLETED: 'completed'>"]


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("%%train" + FIT, ""),
        ("%%train" + MODEL + "model.fit(x, y[:3])", "DataError: expected "),
        ("%%train" + FIT + "\n1 / 0", "ZeroDivisionError: division by zero"),
        ("%runs show nothing", "UnknownNameError: no run"),
    ],
)
def test_nbconvert_ends_as_the_notebook_does(tmp_path: Path, cell: str, error: str) -> None:
    save(tmp_path, SETUP, cell, "print('went on')")
    done = run(tmp_path, "nbconvert", "--execute", "--to", "markdown", "--stdout", "notebook.ipynb")
    assert ("went on" in done.stdout) == (done.returncode == 0) == (not error)
    assert error in ANSI_COLOUR.sub("", done.stderr)


def test_papermill_sets_what_the_line_takes(tmp_path: Path) -> None:
    save(tmp_path, SETUP, "epochs = 1", "%%train --epochs {epochs}" + FIT, "print(run.result.epochs)")
    notebook = nbformat.read(tmp_path / "notebook.ipynb", as_version=4)
    notebook.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    done = run(tmp_path, "papermill", "notebook.ipynb", "done.ipynb", "-p", "epochs", "3")
    assert done.returncode == 0, done.stderr
    assert nbformat.read(tmp_path / "done.ipynb", as_version=4).cells[-1].outputs[0].text == "3\n"


def test_papermill_ends_with_the_error_of_a_cell(tmp_path: Path) -> None:
    save(tmp_path, SETUP, "%%train" + MODEL + "model.fit(x, y[:3])", "print('went on')")
    done = run(tmp_path, "papermill", "notebook.ipynb", "done.ipynb")
    assert done.returncode != 0
    assert "DataError: expected " in ANSI_COLOUR.sub("", done.stderr)
    assert nbformat.read(tmp_path / "done.ipynb", as_version=4).cells[-1].outputs == []


def test_strict_nbval_passes_again_and_again_in_one_home(tmp_path: Path) -> None:
    execute(tmp_path, SETUP, "%%train digits --seed 1 --epochs 3 --register digits" + FIT, "run.result.best_epoch")
    for _ in range(2):
        done = run(tmp_path, "pytest", "--nbval", "-p", "no:cacheprovider", "notebook.ipynb")
        assert "3 passed" in done.stdout, done.stdout
    assert (tmp_path / ".mltrain").is_dir()
