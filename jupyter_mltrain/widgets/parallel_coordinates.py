"""Parallel coordinates: an axis a hyperparameter and one for the score, a line a trial (Inselberg, 1985)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.widgets import search_facts, theme
from jupyter_mltrain.widgets.axis import Axis, score_axis, setting_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNSET = -0.14  # the place of a hyperparameter that a trial did not have
_NAME_WIDTH = 120  # characters that all names have together in the width of the picture


def draw_parallel_coordinates(panel: Axes, search: Search, names: Sequence[str]) -> None:
    """Draw the trials that were not cut short, the better the darker, the best on top."""
    from matplotlib.collections import LineCollection

    objective = search.objectives[0]
    trials = search_facts.by_score(search.trials, objective)[::-1]
    scores = [search_facts.known_score(trial, objective) for trial in trials]
    space = search.facts.get("space", ())
    axes = [*(setting_axis(name, trials, space) for name in names), score_axis(scores, objective)]
    lines = [[*_line(trial, axes[:-1]), (len(names), axes[-1].place(score))] for trial, score in zip(trials, scores, strict=True)]
    panel.set_title("parallel coordinates: darker is better")
    panel.set_axis_off()
    panel.set_xlim(-0.35, len(names) + 0.15)
    panel.set_ylim(min(y for line in lines for _, y in line) - 0.04, 1.16)
    panel.add_collection(LineCollection(lines[:-1], colors=_colours(len(lines) - 1), linewidths=1.0))
    panel.add_collection(LineCollection(lines[-1:], colors=[theme.SERIES[1]], linewidths=2.2))
    for x, axis in enumerate(axes):
        is_unset = any((x, _UNSET) in line for line in lines)
        _draw_axis(panel, x, axis, is_unset=is_unset, width=_NAME_WIDTH // len(axes))


def _line(trial: Run, axes: Sequence[Axis]) -> list[tuple[float, float]]:
    values = search_facts.values(trial)
    return [(x, axis.place(values[axis.name]) if axis.name in values else _UNSET) for x, axis in enumerate(axes)]


def _colours(num: int) -> list[str]:
    """Return colours from the worst to the best by rank: one bad score would make all others look the same."""
    return [theme.SCALE[rank * len(theme.SCALE) // num] for rank in range(num)]


def _draw_axis(panel: Axes, x: int, axis: Axis, *, is_unset: bool, width: int) -> None:
    """Draw an axis with its labels; below it the place of the trials that have no value on it."""
    panel.plot([x, x], [0, 1], color=theme.MUTED, linewidth=0.9)
    panel.text(x, 1.06, theme.one_line(axis.name, width), fontsize=8, ha="center", fontweight="bold")
    ground = {"facecolor": theme.GROUND, "edgecolor": "none", "pad": 0.6}
    unset = [(_UNSET, "not set")] if is_unset else []
    for place, label in [*zip(*axis.ticks(), strict=True), *unset]:
        panel.annotate(label, (x, place), (-4, 0), textcoords="offset points", fontsize=7, ha="right", va="center", bbox=ground)
