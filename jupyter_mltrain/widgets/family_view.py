"""Runs and their forks: who came from whom, where, and what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.domain.family import Family
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.widgets import facts, theme
from jupyter_mltrain.widgets.table import Table, Value
from jupyter_mltrain.widgets.view import Line, View

_COLUMNS = ("run", "forked", "status", "epochs", "best score", "by", "changed")
_NOT_CHANGES = ("fork", "name", "note", "tags", "register", "checkpoint_every", "keep_checkpoints")


@dataclass(frozen=True, slots=True, repr=False)
class FamilyTree(View):
    """What `%runs tree` shows: each run above its forks, which are set in; the same whenever the runs give the same numbers."""

    families: Sequence[Family]

    def text(self) -> str:
        """Return aligned columns."""
        return self._view(" ").text()

    def html(self) -> str:
        """Return a table, whose blanks a browser would leave out."""
        return self._view("\N{NO-BREAK SPACE}").html()

    def _view(self, blank: str) -> View:
        if not self.families:
            return Line("No run was forked yet: put %%train --fork RUN@EPOCH on top of a cell that trains the same model.")
        return Table(_COLUMNS, [row for family in self.families for row in _rows(family, None, blank * 2)], sortable=False)


def _rows(family: Family, parent: Run | None, indent: str, depth: int = 0) -> Iterator[tuple[Value, ...]]:
    run = family.run
    result = run.result
    yield (
        f"{indent * depth}{run.ref}",
        _place(run, parent),
        run.status.value,
        _epochs(run),
        result.best_score if result else None,
        result.monitor if result else None,
        ", ".join(_changes(parent, run)) if parent else None,
    )
    for fork in family.forks:
        yield from _rows(fork, run, indent, depth + 1)


def _place(run: Run, parent: Run | None) -> str | None:
    if run.parent is None:
        return None
    return run.parent.place if parent else f"{run.parent.place} of {run.parent.ref}, which is removed"


def _epochs(run: Run) -> str | None:
    """Return `6 to 20`, or the number of epochs of a run that began anew."""
    if run.result is None:
        return None
    first = (run.parent.epoch if run.parent else 0) + 1
    last = first + run.result.epochs - 1
    return f"{first} to {last}" if last > first else str(last)


def _changes(parent: Run, run: Run) -> Iterator[str]:
    """Yield the options that are not as the parent's, and whether the cell is another."""
    before, after = (dict(facts.flatten(_without(each.options))) for each in (parent, run))
    for name in {**after, **before}:
        if after.get(name) != before.get(name):
            yield f"{name} {after[name]}" if name in after else f"no {name}"
    if parent.source.partition("\n")[2] != run.source.partition("\n")[2]:
        yield "cell"


def _without(options: Any) -> dict[str, Any]:
    return {name: theme.recorded(value) for name, value in options.items() if name not in _NOT_CHANGES}
