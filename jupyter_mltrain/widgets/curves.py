"""The picture of the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.widgets import facts, theme
from jupyter_mltrain.widgets.picture import Picture, PictureView, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_MAX_PANELS = 4
_WIDTH, _NARROW_WIDTH, _PANEL_HEIGHT, _HEAD_HEIGHT = 9.0, 5.0, 2.4, 0.6  # inches
_MARKED_POINTS = 12  # so few points get a dot each
_BEST_MARK: Mapping[str, Any] = {"linestyle": "", "marker": "o", "markersize": 6.5, "markeredgecolor": theme.GROUND}


@dataclass(frozen=True, slots=True, repr=False)
class CurvesPicture(PictureView):
    """Loss and metrics by epoch, at most four, of one run or of several laid over each other.

    Training is solid, validation dashed; the best epoch is marked. What changes from one training to the next with the
    same numbers (time, number of the run, version) is written in the picture, which is not compared, and not in the text.

    Attributes:
        runs: with their epochs. Where no epoch has a metric, there is a sentence in place of the picture.
    """

    runs: tuple[Run, ...]

    def text(self) -> str:
        """Return `curves of loss, accuracy: 20 epochs`."""
        names = _panels(self.runs)
        if not names:
            return "no curves: no epoch has a metric"
        extent = theme.plural(len(self.runs[0].epochs), "epoch") if len(self.runs) == 1 else f"{len(self.runs)} runs"
        return f"curves of {', '.join(theme.one_line(name, 60) for name in names)}: {extent}"

    def picture(self) -> Picture | None:
        """Return the picture, or None where no epoch has a metric."""
        return render(lambda: _draw(self.runs)) if _panels(self.runs) else None


def _panels(runs: Sequence[Run]) -> list[str]:
    """Return the names of the metrics to draw, the loss first."""
    return facts.metric_names(*(epoch.metrics for run in runs for epoch in run.epochs))[:_MAX_PANELS]


def _draw(runs: Sequence[Run]) -> Figure:
    from matplotlib.figure import Figure

    names = _panels(runs)
    num_columns = 2 if len(names) == 4 else len(names)
    num_rows = len(names) // num_columns
    width = _WIDTH if num_columns > 1 else _NARROW_WIDTH
    figure = Figure(figsize=(width, num_rows * _PANEL_HEIGHT + _HEAD_HEIGHT), layout="constrained")
    for panel, name in zip(figure.subplots(num_rows, num_columns, squeeze=False).flat, names, strict=True):
        _draw_panel(panel, name, runs)
    _add_legend(figure, runs)
    if len(runs) == 1:
        figure.supxlabel(_footer(runs[0]), x=0.01, horizontalalignment="left", fontsize=7.5, color=theme.MUTED)
    return figure


def _draw_panel(panel: Axes, name: str, runs: Sequence[Run]) -> None:
    from matplotlib.ticker import MaxNLocator

    panel.set_title(theme.one_line(name, 28))
    panel.set_xlabel("epoch")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    numbers = [epoch.number for run in runs for epoch in run.epochs]
    first, last = min(numbers), max(numbers)  # a fork begins where its parent was
    margin = max(0.5, 0.02 * last)
    panel.set_xlim(first - margin, last + margin)
    for i, run in enumerate(runs):
        training, validation = _colours(i, runs)
        _draw_curve(panel, run, name, color=training, linestyle="-")
        _draw_curve(panel, run, facts.validation_name(name), color=validation, linestyle="--")


def _draw_curve(panel: Axes, run: Run, name: str, *, color: str, linestyle: str) -> None:
    """Draw one metric; an epoch without it is passed over, one where it is not finite leaves a gap."""
    points = {epoch.number: epoch.metrics[name] for epoch in run.epochs if name in epoch.metrics}
    marker = "." if len(points) <= _MARKED_POINTS else ""
    panel.plot(list(points), list(points.values()), color=color, linestyle=linestyle, marker=marker)
    best = run.result.best_epoch if run.result else None
    if best in points:
        panel.plot([best], [points[best]], **_BEST_MARK, color=color)


def _colours(index: int, runs: Sequence[Run]) -> tuple[str, str]:
    """Return the colours of training and validation: one each for a single run, else one a run."""
    if len(runs) == 1:
        return theme.SERIES[0], theme.SERIES[1]
    return (theme.SERIES[index % len(theme.SERIES)],) * 2


def _add_legend(figure: Figure, runs: Sequence[Run]) -> None:
    entries = _legend_entries(runs)
    figure.legend(
        handles=entries,
        loc="outside upper left",
        ncols=len(entries) if len(entries) <= 6 else 4,
        handlelength=2.2,
        columnspacing=1.6,
        borderaxespad=0.2,
    )


def _legend_entries(runs: Sequence[Run]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    single = len(runs) == 1
    entries = [] if single else [Line2D([], [], color=_colours(i, runs)[0], label=run.ref) for i, run in enumerate(runs)]
    training, validation = _colours(0, runs) if single else (theme.MUTED, theme.MUTED)
    entries.append(Line2D([], [], color=training, label="train"))
    if any(name.startswith(facts.VALIDATION) for run in runs for name in run.history):
        entries.append(Line2D([], [], color=validation, linestyle="--", label="validation"))
    best = [run.result.best_epoch for run in runs if run.result and run.result.best_epoch]
    if best:
        label = f"best epoch {best[0]}" if single else "best epoch"
        entries.append(Line2D([], [], **_BEST_MARK, color=theme.MUTED, label=label))
    return entries


def _footer(run: Run) -> str:
    """Return `digits#3 · 20 epochs in 4.2 s · registered as digits version 3`."""
    sentence = f"{run.ref} · {theme.plural(len(run.epochs), 'epoch')}"
    if run.result:
        sentence += f" in {theme.duration(run.result.duration)}"
        if run.result.model_id:
            sentence += " · registered as {} version {}".format(*run.result.model_id.split("@"))
        if run.result.plan_reason:
            sentence += f"\n{theme.one_line(run.result.plan_reason, 140)}"
    return sentence
