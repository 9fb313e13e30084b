"""The panels of a search's picture that are charts of points and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.search import Objective, Search
from jupyter_mltrain.widgets import search_facts, theme
from jupyter_mltrain.widgets.axis import Axis, score_axis, setting_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]


def _marks(colour: str, size: float, **other: Any) -> dict[str, Any]:
    return {"linestyle": "", "marker": "o", "color": colour, "markersize": size, **other}


COMPLETED = _marks(theme.SERIES[0], 4, markeredgecolor=theme.GROUND, markeredgewidth=0.4)
PRUNED = _marks(theme.MUTED, 3.4, fillstyle="none")
FAILED = _marks(theme.SERIES[3], 4.5, clip_on=False) | {"marker": "x"}
BEST = _marks(theme.SERIES[1], 7, markeredgecolor=theme.GROUND, zorder=4)
BEST_SO_FAR: Mapping[str, Any] = {"color": theme.SERIES[1], "linewidth": 1.4}


def draw_history(panel: Axes, search: Search) -> None:
    """Draw each trial's score by its number, and the best so far."""
    from matplotlib.ticker import MaxNLocator

    objective = search.objectives[0]
    axis = _set_scores(panel.yaxis, panel.set_ylim, search.trials, objective)
    panel.set_title(theme.one_line(f"{objective.metric} by trial", 40))
    panel.set_xlabel("trial")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    places = {id(trial): (search_facts.number(trial), axis.place(score)) for trial, score in _scored(search.trials, objective)}
    bests = [places[id(trial)] for trial in search_facts.bests_so_far(search.trials, search.objectives)]
    last = max(map(search_facts.number, search.trials))
    margin = max(0.5, 0.02 * last)
    panel.set_xlim(1 - margin, last + margin)
    panel.plot(*_columns([*bests, (last, bests[-1][1])]), drawstyle="steps-post", **BEST_SO_FAR)
    _draw_trials(panel, search, places)
    failed = [search_facts.number(trial) for trial in search.trials if trial.status is RunStatus.FAILED]
    if failed:  # an empty line that is not clipped would have no end, and leave no room for the panel
        panel.plot(failed, [0] * len(failed), transform=panel.get_xaxis_transform(), **FAILED)


def draw_front(panel: Axes, search: Search) -> None:
    """Draw the first two objectives against each other, and the trials that no other beats in both."""
    first, second = search.objectives[:2]
    panel.set_title("Pareto front")
    vertical = _set_scores(panel.yaxis, panel.set_ylim, search.trials, first)
    horizontal = _set_scores(panel.xaxis, panel.set_xlim, search.trials, second)
    panel.set_ylabel(theme.one_line(first.metric, 28))
    panel.set_xlabel(theme.one_line(second.metric, 28))
    points = {
        id(trial): (horizontal.place(other), vertical.place(score))
        for trial, score in _scored(search.trials, first)
        if (other := search_facts.score(trial, second)) is not None
    }
    _draw_trials(panel, search, points)
    panel.plot(*_columns(sorted(points[id(trial)] for trial in search.front)), marker="o", markersize=5, **BEST_SO_FAR)


def draw_importances(panel: Axes, importances: Sequence[tuple[str, float]]) -> None:
    """Draw a bar for each hyperparameter, the most important on top."""
    from matplotlib.ticker import MaxNLocator

    names = [theme.one_line(name, 24) for name, _ in importances]
    panel.set_title("importances")
    panel.set_xlabel("share of what decides the score")
    panel.barh(range(len(names)), [share for _, share in importances], color=theme.SERIES[0], height=0.6)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
    panel.grid(visible=False, axis="y")
    panel.set_axisbelow(True)


def draw_slice(panel: Axes, search: Search, name: str) -> None:
    """Draw each trial's score by its value of a hyperparameter."""
    objective = search.objectives[0]
    scores = _set_scores(panel.yaxis, panel.set_ylim, search.trials, objective)
    axis = setting_axis(name, search.trials, search.facts.get("space", ()))
    panel.set_title(theme.one_line(name, 22), fontsize=8.5)
    panel.set_xlim(-0.06, 1.06)
    places, labels = axis.ticks()
    panel.set_xticks(places, labels, fontsize=7)
    panel.tick_params(axis="y", labelsize=7)
    points = {
        id(trial): (axis.place(search_facts.values(trial)[name]), scores.place(score))
        for trial, score in _scored(search.trials, objective)
        if name in search_facts.values(trial)
    }
    _draw_trials(panel, search, points)


def _draw_trials(panel: Axes, search: Search, points: Mapping[int, Point]) -> None:
    """Draw a point a trial, given by the identity of its record."""
    pruned = [points[id(trial)] for trial in search.trials if id(trial) in points and trial.status is RunStatus.PRUNED]
    whole = [points[id(trial)] for trial in search.trials if id(trial) in points and trial.status is not RunStatus.PRUNED]
    panel.plot(*_columns(pruned), **PRUNED)
    panel.plot(*_columns(whole), **COMPLETED)
    best = search.best
    panel.plot(*_columns([points[id(best)]] if id(best) in points else []), **BEST)


def _set_scores(which: Any, set_limits: Any, trials: Sequence[Run], objective: Objective) -> Axis:
    """Label an axis of a panel with an objective's scores; what is drawn is given by its place."""
    axis = score_axis([score for _, score in _scored(trials, objective)], objective)
    places, labels = axis.ticks()
    which.set_ticks(places, labels)
    set_limits(-0.07, 1.07)
    return axis


def _scored(trials: Sequence[Run], objective: Objective) -> list[tuple[Run, float]]:
    scores = ((trial, search_facts.score(trial, objective)) for trial in trials)
    return [(trial, score) for trial, score in scores if score is not None]


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
