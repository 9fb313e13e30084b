"""Which earlier cells a training hangs on, as it is recorded with the run."""

from __future__ import annotations

import pytest

from jupyter_mltrain.magics.cell import NotebookCell
from jupyter_mltrain.magics.origin import origin_of, understood
from jupyter_mltrain.store.origin_file import read_origin

CELL = "model = net(widths)\nmodel.fit(x, y, verbose=0)\n"
IMPORTS = "import keras, numpy as np\nfrom keras import layers"
DATA = "x = np.ones((8, 2), 'float32')\ny = np.zeros(8)"
NET = """def net(widths):
    hidden = [layers.Dense(width, kind) for width in widths]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1)])
    model.compile('sgd', 'mse')
    return model
"""


def origin_after(notebook, *cells, body=CELL, expressions=()):
    for cell in (*cells, "'the cell that trains'"):
        notebook.try_run(cell)
    history = notebook.shell.magics_manager.registry["TrainMagics"].history
    takes = NotebookCell(notebook.shell, "%%train", "", body).takes(expressions)
    return origin_of(notebook.shell, history.cells(), takes)


def kept(origin):
    return [cell.rstrip() for cell in origin.cells]


def test_by_dependency_and_in_order(notebook):
    needed = (IMPORTS, "widths = [2]", DATA, NET.rstrip(), "kind = 'tanh'", "widths.append(3)", "x[0] = 5")
    others = ("unused = 1", "1 / 0", "widths\nprint(widths)", "kind_of = kind", "x = 1 / 0")
    first, second, third, *rest = needed
    origin = origin_after(notebook, first, others[0], second, others[1], third, *others[2:4], *rest, others[4])
    assert kept(origin) == list(needed)
    assert (origin.unknown, origin.left_out) == ({}, ())
    assert origin.folder == str(notebook.home.parent)


def test_only_what_a_name_stands_for_last(notebook):
    cells = (IMPORTS, "widths = [9]", DATA, "kind = None", NET, "widths = [2]", "widths = widths * 2", DATA)
    origin = origin_after(notebook, *cells)
    assert kept(origin) == [IMPORTS, "kind = None", NET.rstrip(), "widths = [2]", "widths = widths * 2", DATA]


def test_what_no_cell_made_is_listed(notebook):
    notebook.shell.user_ns["widths"] = [2]
    notebook.shell.user_ns["not_used"] = 1
    origin = origin_after(notebook, IMPORTS, DATA, "%env A=1\nkind = None\n!true", NET)
    assert origin.unknown == {"widths": "list"}
    assert origin.left_out == ("%env A=1", "!true")


def test_the_lines_own_names_and_earlier_trainings(notebook):
    build = "%%train first --no-track\nmodel = net(widths)\nmodel.fit(x, y, verbose=0)"
    cells = (IMPORTS, DATA, "kind = None", NET, "widths = [2]", "n = 1", build, "more = x, y")
    origin = origin_after(notebook, *cells, body="model\n", expressions=("more",))
    assert kept(origin) == [IMPORTS, DATA, "kind = None", NET.rstrip(), "widths = [2]", build, "more = x, y"]


@pytest.mark.parametrize("magic", ["%%tune --trials 1", "%%train --detach", "%%train far --background --as far"])
def test_what_runs_over_a_copy_of_the_names_makes_none_of_them(magic):
    _, names = understood(f"{magic}\nmodel = net(widths)\nwidths.append(1)\nmodel.fit(x)\n")
    assert names.touches == names.binds
    assert names.binds in ({"search"}, {"run"}, {"far"})
    assert {"net", "widths", "x"} <= names.takes


def test_seeds_and_a_module_of_the_folder(notebook, monkeypatch):
    monkeypatch.syspath_prepend(notebook.home.parent)
    (notebook.home.parent / "my_shapes.py").write_text("widths = [2]\nkind = None\n")
    star = "from my_shapes import *"
    origin = origin_after(notebook, IMPORTS, "import random; random.seed(3)", star, DATA, NET)
    assert kept(origin) == [IMPORTS, "import random; random.seed(3)", star, DATA, NET.rstrip()]
    assert list(origin.modules) == ["my_shapes.py"]


def test_what_a_reset_took_away_is_no_origin(notebook):
    origin = origin_after(notebook, IMPORTS, "widths = [2]", "%reset -f", IMPORTS, DATA, "kind = None", NET, "1")
    assert kept(origin) == [IMPORTS, DATA, "kind = None", NET.rstrip()]


def test_it_is_kept_with_the_run_and_an_analysis_that_fails_is_said(tiny, monkeypatch):
    origin = read_origin(tiny.run("%%train\nmodel = net(); model.fit(x, y)")["run"].folder)
    assert len(origin.cells) == 1
    assert origin.cells[0].startswith("import keras, numpy as np")
    monkeypatch.setattr("jupyter_mltrain.magics.origin.origin_of", lambda *_: 1 / 0)
    tiny.run("%%train\nmodel = net(); model.fit(x, y)")
    assert tiny["run"].status == "completed"
    assert "The cells before this one could not be told apart for %runs reproduce: ZeroDivisionError" in tiny.text
    with pytest.raises(Exception, match="expected a run that was recorded with the cells before it"):
        tiny.run("%runs reproduce")
