"""What of a cell's text can be run elsewhere."""

from __future__ import annotations

import pytest

from jupyter_mltrain.magics.carrying import carried


@pytest.mark.parametrize(
    ("cell", "body", "left_out"),
    [
        ("x = 1 % 2\nquestion = '''\n%no magic\n'''", "x = 1 % 2\nquestion = '''\n%no magic\n'''", ()),
        ("%matplotlib inline\nx = 1\nx?", "# %matplotlib inline\nx = 1\n# x?\n", ("%matplotlib inline", "x?")),
        ("if x:\n    !pip install a\ny = 1", "if x:\n    pass  # !pip install a\ny = 1\n", ("!pip install a",)),
        ("files = !ls", "files = !ls\n", ()),
        ("%time x = f()\n%pwd", "x = f()\n# %pwd\n", ("%pwd",)),
        ("%pwd\nx = 1  # ?\ny = '''\n!no\n'''", "# %pwd\nx = 1  # ?\ny = '''\n!no\n'''\n", ("%pwd",)),
        ("!ls a \\\n  b\nx = 1", "!ls a \\\n  b\nx = 1", ()),
        ("%%time\nx = 1", "x = 1", ()),
        ("%%bash\nls", "", ("%%bash",)),
        ("%%writefile a.py\nx = 1", "", ("%%writefile a.py",)),
    ],
)
def test_pythons_lines_stay_and_ipythons_become_comments(cell, body, left_out):
    found = carried(cell)
    assert (found.magic, found.body, found.left_out) == ("", body, left_out)
    assert found.source == body


def test_a_cell_that_trains_keeps_its_magic():
    found = carried("%%train digits --epochs 3\nmodel.fit(x, y)\n")
    assert (found.magic, found.line, found.body) == ("train", "digits --epochs 3", "model.fit(x, y)\n")
    assert found.source == "%%train digits --epochs 3\nmodel.fit(x, y)\n"
