"""The text of a script and of a notebook that do a run again."""

from __future__ import annotations

import ast
import html
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.services.reproduction_line import VALUES, body_of, line_of, settings_of, values_of

_ALWAYS = ("jupyter-mltrain", "ipython", "keras", "numpy", "tensorflow")
PARENT = "parent"
"""The folder beside script and notebook that holds the run whose state a fork begins with."""

_MOST_MODULES = 10  # that are named
_CELL_MAGIC = re.compile(r"%%(train|tune)([^\n]*)\n(.*)", re.DOTALL)
_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where script and notebook stand.

    Attributes:
        name: of both files, without its ending.
        up: the way from their folder to the one where relative paths began.
        random: the file beside them that keeps the random generators' states; None where a seed says it all.
    """

    name: str
    up: str
    random: str | None


def script_of(run: Run, origin: Origin, place: Place) -> str:
    """Return the script, in the percent format that editors show as cells."""
    settings = "".join(
        f'get_ipython().run_line_magic("config", "MLTrain.{name} = {value!r}")\n' for name, value in settings_of(run).items()
    )
    setup = (
        "import os\nimport sys\n\nfrom IPython.core.interactiveshell import InteractiveShell\n\n"
        "_folder = os.path.dirname(os.path.abspath(__file__))\n"
        f"os.chdir(os.path.join(_folder, {place.up!r}))  # what the cells read lies there\n"
        f"sys.path.insert(0, os.getcwd())\n{_variables(run)}"
        "InteractiveShell.instance(user_module=sys.modules[__name__])\n"
        f'get_ipython().run_line_magic("load_ext", "jupyter_mltrain")\n{settings}'
    )
    cells = [*map(_as_python, _cells_before(run, origin, place)), _as_training(run, origin)]
    lines = (*_metadata(run, origin), "", *(" ".join(sentence.split()) for sentence in about(run, origin)))
    head = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    return f"{head}\n# %%\n{setup}" + "".join(f"\n# %%\n{cell.rstrip()}\n" for cell in cells)


def notebook_of(run: Run, origin: Origin, place: Place) -> str:
    """Return the notebook."""
    settings = "".join(f"%config MLTrain.{name} = {value!r}\n" for name, value in settings_of(run).items())
    setup = (
        f"import os\nimport sys\n\nif os.path.exists({place.name + '.ipynb'!r}):\n    _folder = os.getcwd()\n"
        f"    os.chdir({place.up!r})  # what the cells read lies there\n"
        f"sys.path.insert(0, os.getcwd())\n{_variables(run)}%load_ext jupyter_mltrain\n{settings}"
    )
    cells = (setup, *_cells_before(run, origin, place), origin.call or f"%%train {line_of(run)}\n{body_of(run)}")
    made: list[dict[str, Any]] = [_cell(0, "markdown", "\n\n".join(map(_plain, about(run, origin))))]
    made += [{**_cell(number, "code", cell), "execution_count": None, "outputs": []} for number, cell in enumerate(cells, 1)]
    notebook = {"cells": made, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _as_training(run: Run, origin: Origin) -> str:
    if origin.call:  # as a cell, so that the call finds where it stands
        return _as_cell(origin.call)
    return _as_call("train", line_of(run), body_of(run))


def _cells_before(run: Run, origin: Origin, place: Place) -> Iterator[str]:
    """Yield the cells before the one that trains."""
    yield from origin.cells
    if not origin.call:
        yield from _hyperparameters(run)
    yield from _parent(run)
    if place.random:
        yield f'import jupyter_mltrain\n\njupyter_mltrain.runs.restore_random_numbers(f"{{_folder}}/{place.random}")\n'


def requirements_of(run: Run) -> str:
    """Return every package of the run's environment, pinned, as pip reads it."""
    return "".join(f"{name}=={version}\n" for name, version in _packages(run).items())


def about(run: Run, origin: Origin) -> Iterator[str]:
    """Yield sentences on what is done again, and what had to be left out."""
    environment = run.facts.get("environment", {})
    yield f"{run.ref} again, as it was trained on {run.started_at:%Y-%m-%d %H:%M} UTC with Python {environment.get('python')}."
    devices = ", ".join(environment.get("devices", ()))
    yield f"Every package that was installed stands in requirements.txt. The devices were {devices}."
    if run.parent:
        yield f"It begins with the state of {run.parent.ref} {run.parent.place}, which lies in {PARENT}."
    if origin.unknown:
        names = ", ".join(f"{name} ({kind})" for name, kind in origin.unknown.items())
        yield f"No cell made these names, so that they have to be given their values first: {names}."
    if origin.left_out:
        yield f"Left out, because only a notebook can do it: {'; '.join(origin.left_out)}."
    if origin.modules:
        shown = ", ".join([*origin.modules][:_MOST_MODULES])
        more = len(origin.modules) - _MOST_MODULES
        yield f"It imports files of the notebook's folder: {shown}{f' and {more} more' if more > 0 else ''}."


def _metadata(run: Run, origin: Origin) -> Iterator[str]:
    """Yield the block of inline script metadata (PEP 723), with the packages that the code imports."""
    python = str(run.facts.get("environment", {}).get("python", "3")).split(".")
    wanted = {*_ALWAYS, *_distributions(_imported((*origin.cells, origin.call or body_of(run))))}
    known = {name: version for name, version in _packages(run).items() if _normal(name) in map(_normal, wanted)}
    yield "/// script"
    yield f'requires-python = "=={".".join(python[:2])}.*"'
    yield "dependencies = ["
    yield from (f'    "{name}=={version}",' for name, version in known.items())
    yield "]"
    yield "///"


def _packages(run: Run) -> Mapping[str, str]:
    packages: Mapping[str, str] = run.facts.get("environment", {}).get("packages", {})
    return packages


def _imported(cells: Sequence[str]) -> set[str]:
    """Return the top-level modules that cells import."""
    found = re.findall(r"(?m)^\s*(?:import|from)\s+(\w+)", "\n".join(cells))
    return set(found)


def _distributions(modules: set[str]) -> Iterator[str]:
    from importlib.metadata import packages_distributions

    known = packages_distributions()
    return (name for module in modules - set(sys.stdlib_module_names) for name in known.get(module, ()))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _variables(run: Run) -> str:
    """Return the line that sets what TensorFlow reads of the process's environment when it is imported."""
    variables = run.facts.get("environment", {}).get("environment", {})
    return f"os.environ.update({variables!r})\n" if variables else ""


def _hyperparameters(run: Run) -> Iterator[str]:
    """Yield the cell with the values of hyperparameters, where the training cell asks for some."""
    if values_of(run):
        yield f"{VALUES} = {dict(values_of(run))!r}\n"


def _parent(run: Run) -> Iterator[str]:
    """Yield the cell that brings the run whose state the training begins with."""
    if run.parent:
        yield f'%mltrain copy "{{_folder}}/{PARENT}"\n'


def _as_python(cell: str) -> str:
    """Return a cell as a script has it: as it is, or as text for IPython where it is more than Python."""
    trains = _CELL_MAGIC.fullmatch(cell)
    if trains:
        return _as_call(trains[1], trains[2].strip(), trains[3])
    try:
        tree = ast.parse(cell)
        compile(cell, "<cell>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        tree = None
    if tree is None or any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
        return _as_cell(cell)
    return cell


def _as_cell(cell: str) -> str:
    return f"get_ipython().run_cell({_literal(cell)}).raise_error()"


def _as_call(magic: str, line: str, body: str) -> str:
    return f'get_ipython().run_cell_magic("{magic}", {json.dumps(line, ensure_ascii=False)}, {_literal(body)})'


def _literal(text: str) -> str:
    """Return a text as Python, on lines of its own where that is possible."""
    text = "\n" + text.rstrip("\n") + "\n"
    quotes = next((each for each in ('"""', "'''") if each not in text), None)
    return f"r{quotes}{text}{quotes}" if quotes else repr(text)


def _plain(sentence: str) -> str:
    """Return a sentence as Markdown that shows every character as it is."""
    return re.sub(r"([\\`*\[\]_$])", r"\\\1", html.escape(sentence, quote=False))


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source.rstrip("\n").splitlines(keepends=True)}
