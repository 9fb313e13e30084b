"""The picture of a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.widgets import search_facts, search_panels, theme
from jupyter_mltrain.widgets.parallel_coordinates import draw_parallel_coordinates
from jupyter_mltrain.widgets.picture import Picture, PictureView, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

_MOST_SETTINGS = 8
_SLICES_A_ROW = 4
_WIDTH, _FOOT_HEIGHT = 9.0, 0.3  # inches

Draw = Callable[["Axes"], None]


@dataclass(frozen=True, slots=True)
class _Row:
    """Panels side by side under one name; `height` in inches."""

    name: str
    height: float
    panels: Sequence[Draw]
    num_columns: int


@dataclass(frozen=True, slots=True, repr=False)
class SearchPicture(PictureView):
    """History, Pareto front, importances, parallel coordinates and slices, as far as there is something to draw of each.

    Attributes:
        search: with its trials. Where none has a score, there is a sentence in place of the picture.
    """

    search: Search

    def text(self) -> str:
        """Return `history, importances, parallel coordinates, slices by val_accuracy: 20 trials`."""
        if self.search.best is None:
            return "no picture of the search: no trial has a score"
        names = ", ".join(row.name for row in _rows(self.search))
        trials = theme.plural(len(self.search.trials), "trial")
        return f"{names} by {theme.one_line(self.search.objectives[0].metric, 60)}: {trials}"

    def picture(self) -> Picture | None:
        """Return the picture, or None where no trial has a score."""
        return render(lambda: _draw(self.search), scale=theme.SCALE) if self.search.best is not None else None


def _rows(search: Search) -> list[_Row]:
    """Return what there is to draw."""
    top: list[tuple[str, Draw]] = [("history", lambda panel: search_panels.draw_history(panel, search))]
    if len(search.objectives) > 1 and search.front:
        top.append(("Pareto front", lambda panel: search_panels.draw_front(panel, search)))
    importances = _importances(search)
    if importances:
        top.append(("importances", lambda panel: search_panels.draw_importances(panel, importances)))
    rows = [_Row(", ".join(name for name, _ in top), 2.5, [draw for _, draw in top], len(top))]
    names = _varied(search)
    if len(names) > 1 and len(search_facts.by_score(search.trials, search.objectives[0])) > 1:
        rows.append(_Row("parallel coordinates", 2.5, [lambda panel: draw_parallel_coordinates(panel, search, names)], 1))
    if names:
        num_rows = math.ceil(len(names) / _SLICES_A_ROW)
        rows.append(_Row("slices", 1.75 * num_rows, [_slice(search, name) for name in names], _SLICES_A_ROW))
    return rows


def _slice(search: Search, name: str) -> Draw:
    return lambda panel: search_panels.draw_slice(panel, search, name)


def _importances(search: Search) -> list[tuple[str, float]]:
    """Return the shares of the most important hyperparameters, the first the most important."""
    shares = search.facts.get("importances") or {}
    return sorted(shares.items(), key=lambda item: -item[1])[:_MOST_SETTINGS]


def _varied(search: Search) -> list[str]:
    """Return the hyperparameters of which scored trials had different values, the most important first."""
    trials = [trial for trial in search.trials if search_facts.score(trial, search.objectives[0]) is not None]
    settings = [search_facts.values(trial) for trial in trials]
    names = [
        name
        for name in search_facts.hyperparameters(trials)
        if len({theme.recorded(values[name]) for values in settings if name in values}) > 1
    ]
    shares = search.facts.get("importances") or {}
    return sorted(names, key=lambda name: -shares.get(name, 0.0))[:_MOST_SETTINGS]


def _draw(search: Search) -> Figure:
    from matplotlib.figure import Figure

    rows = _rows(search)
    heights = [row.height for row in rows]
    figure = Figure(figsize=(_WIDTH, sum(heights) + _FOOT_HEIGHT), layout="constrained")
    parts = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, row in zip(parts, rows, strict=True):
        _draw_row(part, row)
    parts[0].legend(handles=_legend(search), loc="outside upper left", ncols=5, handlelength=1.6, columnspacing=1.6)
    figure.supxlabel(_footer(search), x=0.01, horizontalalignment="left", fontsize=7.5, color=theme.MUTED)
    return figure


def _draw_row(part: SubFigure, row: _Row) -> None:
    panels = part.subplots(math.ceil(len(row.panels) / row.num_columns), row.num_columns, squeeze=False).flat
    for panel, draw in zip(panels, row.panels, strict=False):
        draw(panel)
    for panel in panels[len(row.panels) :]:
        panel.set_axis_off()


def _legend(search: Search) -> list[Line2D]:
    from matplotlib.lines import Line2D

    styles: dict[str, Any] = {
        "completed": search_panels.COMPLETED,
        "pruned": search_panels.PRUNED,
        "failed": search_panels.FAILED,
        "best so far": search_panels.BEST_SO_FAR,
    }
    statuses = {trial.status.value for trial in search.trials}
    shown = {label: style for label, style in styles.items() if label in statuses or label not in ("pruned", "failed")}
    if search.best:
        shown[f"best trial {search_facts.number(search.best)}"] = search_panels.BEST
    return [Line2D([], [], label=label, **style) for label, style in shown.items()]


def _footer(search: Search) -> str:
    """Return `digits#2 · 20 trials in 3 min 12 s · pruning saved about 40.0 s`."""
    text = f"{search.ref} · {theme.plural(len(search.trials), 'trial')}"
    if search.ended_at:
        text += f" in {theme.duration((search.ended_at - search.started_at).total_seconds())}"
    saved = search.facts.get("seconds_saved")
    return f"{text} · pruning saved about {theme.duration(saved)}" if saved else text
