"""`%load_ext jupyter_mltrain` in a fresh process: light, and without a trace on the disk."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ["tensorflow", "keras", "keras_tuner", "tensorboard", "pandas", "sklearn", "numpy", "sqlalchemy", "alembic",
         "matplotlib", "PIL", "ipywidgets", "anywidget", "ipykernel", "psutil"]  # fmt: skip

SCRIPT = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
{cells}
print(json.dumps([sorted(sys.modules), sorted(shell.magics_manager.magics["line"]), sorted(shell.magics_manager.magics["cell"])]))
"""


def fresh(cells: str, folder) -> list[list[str]]:
    """Return the modules, line magics and cell magics that a fresh process has after `cells`."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(cells=cells)], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_loading_imports_nothing_heavy_and_writes_nothing(tmp_path):
    modules, line_magics, cell_magics = fresh('shell.run_line_magic("load_ext", "jupyter_mltrain")', tmp_path)
    assert [name for name in HEAVY if name in modules] == []
    assert {"runs", "models", "devices", "mltrain"} <= set(line_magics)
    assert "train" in cell_magics
    assert list(tmp_path.iterdir()) == []


def test_help_errors_settings_and_tab_import_nothing_heavy_either(tmp_path):
    modules, *_ = fresh(
        """
shell.run_line_magic("load_ext", "jupyter_mltrain")
shell.run_cell("%%train?")
shell.run_cell("%config MLTrain.seed = 3")
shell.run_cell("%runs shwo")
for text in ("%runs show ", "%%train --strategy ", "%%train --monitor "):
    shell.complete(text)
""",
        tmp_path,
    )
    assert [name for name in HEAVY if name in modules] == []
    assert list(tmp_path.iterdir()) == []


def test_looking_at_runs_does_not_import_tensorflow(tmp_path):
    modules, *_ = fresh(
        'shell.run_line_magic("load_ext", "jupyter_mltrain"); shell.run_cell("%runs\\n%mltrain doctor")', tmp_path
    )
    assert "sqlalchemy" in modules
    assert [name for name in ("tensorflow", "keras", "pandas", "matplotlib", "ipywidgets") if name in modules] == []
    assert (tmp_path / ".mltrain" / "mltrain.db").exists()


def test_reloading_leaves_one_of_everything(ipython):
    ipython.run_line_magic("reload_ext", "jupyter_mltrain")
    assert [type(each).__name__ for each in ipython.configurables].count("MLTrain") == 1
    assert [each.matcher_identifier for each in ipython.Completer.custom_matchers].count("jupyter_mltrain") == 1
