"""What a training cell hangs on in its notebook: the earlier cells that made what it uses, found by their names."""

from __future__ import annotations

import builtins
import functools
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from jupyter_mltrain.domain.files import sha256_of
from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.magics.carrying import Carried, carried, is_python
from jupyter_mltrain.magics.cell_names import RANDOM, CellNames, cell_names
from jupyter_mltrain.magics.history import History, history_of

_WORD = re.compile(r"[A-Za-z_]\w*")
_ELSEWHERE = re.compile(r"--(detach|background)\b")
_VARIABLE = re.compile(r"--as[ =]+(\w+)")
_DONE_ANYWAY = ("%load_ext jupyter_mltrain", "%reload_ext jupyter_mltrain", "%config MLTrain")
_PACKAGE = str(Path(__file__).parents[1])
_OF_SHELL = frozenset({"display", "exit", "get_ipython", "hp", "open", "quit"})


def kept_origin(shell: Any, history: History, takes: Iterable[str]) -> Origin | None:
    """Return what `origin_of` does of the cell that runs; a notebook that cannot be understood is said, and trains."""
    from jupyter_mltrain.magics.display import show
    from jupyter_mltrain.widgets.view import Line

    try:
        return origin_of(shell, history.cells(), takes)
    except Exception as error:  # noqa: BLE001 - of any code that people write
        show(Line(f"The cells before this one could not be told apart for %runs reproduce: {error!r}"))
        return None


def origin_of_call(shell: Any) -> Origin | None:
    """Return where a training that the running cell calls has its code from; None where no ordinary cell runs."""
    history = history_of(shell)
    cell, number = history.call() if history else ("", 0)
    found = understood(cell)
    if history is None or found is None or found[0].magic:
        return None
    carried_cell, names = found
    origin = kept_origin(shell, history, names.takes)
    return origin and replace(origin, call=carried_cell.source, number=number)


def origin_of(shell: Any, cells: Sequence[str], takes: Iterable[str]) -> Origin:
    """Return where a cell that takes these names has its code from.

    Args:
        shell: in whose namespace it runs.
        cells: those that ran before it, in their order.
        takes: those names.
    """
    known = [each for each in map(understood, cells) if each]
    walk = _Walk([names for _, names in known])
    walk.want(takes, len(known))
    for index, (_, names) in enumerate(known):
        if names.binds & RANDOM:  # whatever is drawn after it, by Keras's layers too, hangs on it
            walk.keep(index)
    kept = [known[index][0] for index in sorted(walk.kept)]
    namespace = shell.user_ns
    unknown = sorted(name for name in walk.wanted - walk.found - _OF_SHELL if name in namespace and not hasattr(builtins, name))
    return Origin(
        cells=tuple(each.source for each in kept),
        unknown={name: type(namespace[name]).__name__ for name in unknown},
        left_out=tuple(dict.fromkeys(line for each in kept for line in each.left_out if not line.startswith(_DONE_ANYWAY))),
        folder=str(Path.cwd()),
        modules=_modules(Path.cwd()),
    )


class _Walk:
    """Goes backwards from names to the cells that made them, and on to what those take."""

    def __init__(self, cells: Sequence[CellNames]) -> None:
        self._cells = cells
        self.kept: set[int] = set()
        self.wanted: set[str] = set()
        self.found: set[str] = set()

    def keep(self, index: int) -> None:
        """Keep a cell, with those on which it hangs."""
        self.kept.add(index)
        self.want(self._cells[index].takes, index)

    def want(self, names: Iterable[str], before: int) -> None:
        """Keep the cells before number `before` on which these names hang."""
        open_names, seen = [(name, before) for name in names], set()
        while open_names:
            wanted = name, until = open_names.pop()
            if wanted in seen:
                continue
            seen.add(wanted)
            self.wanted.add(name)
            for index in self._makers(name, until):
                cell = self._cells[index]
                open_names += [(each, index) for each in cell.takes]
                open_names += [(each, until) for each in cell.later]  # a function looks its names up when it is called

    def _makers(self, name: str, before: int) -> Iterable[int]:
        for index in range(before - 1, -1, -1):
            cell = self._cells[index]
            if name in cell.touches or name in cell.binds:
                self.kept.add(index)
                self.found.add(name)
                yield index
            if name in cell.binds:
                return


@functools.lru_cache(maxsize=4096)
def understood(cell: str) -> tuple[Carried, CellNames] | None:
    """Return what of a cell can be run elsewhere, and what it has to do with names; None where it has no Python."""
    found = carried(cell)
    if not found.body.strip() and not found.magic:
        return None
    try:
        names = cell_names(_star_free(found.body if is_python(found.body) else TransformerManager().transform_cell(found.body)))
    except SyntaxError:
        return None
    return found, _of_training(found, names) if found.magic else names


def _of_training(cell: Carried, names: CellNames) -> CellNames:
    """Return what a cell that trains has to do with names, whose body may run elsewhere, over a copy of them."""
    named, dry_run = _VARIABLE.search(cell.line), "--dry-run" in cell.line
    variable = named[1] if named else "search" if cell.magic == "tune" else "estimate" if dry_run else "run"
    takes = names.takes | set(_WORD.findall(cell.line))
    if cell.magic == "tune" or _ELSEWHERE.search(cell.line):
        return replace(names, takes=takes, binds=frozenset({variable}), touches=frozenset({variable}))
    return replace(names, takes=takes, binds=names.binds | {variable})


def _star_free(python: str) -> str:
    """Return the text with the names that `from module import *` brought, as far as the module is there."""

    def named(found: re.Match[str]) -> str:
        module = sys.modules.get(found["module"])
        public = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
        return f"{found[1]}({', '.join(public)})" if module else found[0]

    return re.sub(r"(?m)^(from\s+(?P<module>[\w.]+)\s+import\s+)\*", named, python)


def _modules(folder: Path) -> Mapping[str, str]:
    """Return the files of the modules that come from a folder and are not installed, with a hash of their content."""
    elsewhere = (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), f"{sys.prefix}/", _PACKAGE)
    files = {getattr(module, "__file__", None) or "" for module in [*sys.modules.values()]}
    here = sorted(file for file in files if file.startswith(f"{folder}/") and not file.startswith(elsewhere))
    found = ((Path(file), str(Path(file).relative_to(folder))) for file in here)
    return {name: sha256_of(file) for file, name in found if file.is_file()}
