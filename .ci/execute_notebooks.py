"""Run the tutorials and keep their outputs: `.venv/bin/python .ci/execute_notebooks.py [notebooks/01_first_run.ipynb ...]`.

Whoever changes a tutorial, or what it shows, runs this and looks at the difference. What would change with every run (the
state of widgets, times, versions) is taken out.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> None:
    notebook = nbformat.read(path.open(encoding="utf-8"), as_version=4)
    notebook.metadata = nbformat.from_dict(METADATA)
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"MLTRAIN_HOME": home, "MLTRAIN_STORE": ""}
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(FOLDER.glob("*.ipynb")):
        print(path.name, flush=True)
        execute(path)
