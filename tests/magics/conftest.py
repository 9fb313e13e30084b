"""A notebook with data and a model that train in a moment."""

from __future__ import annotations

import shutil

import pytest
from IPython.utils.capture import capture_output
from sample_cells import TINY


@pytest.fixture
def tiny(notebook):
    return notebook.run(TINY)


@pytest.fixture(scope="session")
def recorded(ipython, tmp_path_factory):
    """A home with `digits#1` (2 epochs), `digits#2` (1 epoch, tagged, registered as `net`) and `other#1`, which failed."""
    home = tmp_path_factory.mktemp("recorded") / "home"
    ipython.run_line_magic("config", f"MLTrain.home = {str(home)!r}")
    for cell in (
        TINY,
        "%%train digits --epochs 2 --lr 0.01\nmodel = net(); model.fit(x, y)",
        "%%train digits --tag stage=draft --tag odd --register net\nmodel = net(8); model.fit(x, y, validation_split=0.5)",
        "%%train other\nraise RuntimeError('oh')",
    ):
        with capture_output():
            ipython.run_cell(cell)
    ipython.reset(new_session=False)
    return home


@pytest.fixture
def trained(recorded, notebook):
    """A notebook whose home is a copy of the recorded one."""
    shutil.copytree(recorded, notebook.home)
    return notebook
