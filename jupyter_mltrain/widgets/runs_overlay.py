"""What is drawn of runs beside each other, as JSON: their curves, and a line each over the axes of what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_mltrain.domain.run import Epoch, Run
from jupyter_mltrain.services.run_order import hyperparams
from jupyter_mltrain.widgets import facts, theme
from jupyter_mltrain.widgets.axis import Axis, values_axis
from jupyter_mltrain.widgets.state import significant

_MOST_AXES = 8
_NAME_WIDTH = 24
_DIGITS = 5


def curves(epochs: Mapping[str, Sequence[Epoch]], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return of each run the points of each metric, `[epoch, value]`, those on validation data under `val_…`."""
    return [{"ref": theme.visible(run.ref), "metrics": metric_points(epochs.get(run.id, ()))} for run in runs]


def metric_points(epochs: Sequence[Epoch], names: Iterable[str] | None = None) -> dict[str, list[list[float | None]]]:
    """Return metric to its points, of all metrics if none is named; None stands for a value that JSON has not."""
    if names is None:
        names = dict.fromkeys(name for epoch in epochs for name in epoch.metrics)
    return {
        theme.visible(name): [
            [epoch.number, significant(epoch.metrics[name], _DIGITS)] for epoch in epochs if name in epoch.metrics
        ]
        for name in names
    }


def metric_names(epochs: Mapping[str, Sequence[Epoch]]) -> list[str]:
    """Return the metrics that there are curves of, the loss first."""
    return list(map(theme.visible, facts.metric_names(*(epoch.metrics for some in epochs.values() for epoch in some))))


def coordinates(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the axes of the hyperparameters that differ and of the score, and where each run lies on them; None for nowhere.

    There are none where nothing differs.
    """
    values = {run.id: hyperparams(run) for run in runs}
    names = dict.fromkeys(name for some in values.values() for name in some)
    differing = [name for name in names if len({theme.recorded(some.get(name)) for some in values.values()}) > 1]
    if not differing:
        return {"axes": [], "lines": []}
    columns = {name: {run.id: values[run.id].get(name) for run in runs} for name in differing[:_MOST_AXES]} | _scores(runs)
    axes = {name: _axis(name, column) for name, column in columns.items()}
    return {
        "axes": [_shown(axis) for axis in axes.values() if axis],
        "lines": [[_place(axis, columns[name][run.id]) for name, axis in axes.items() if axis] for run in runs],
    }


def _scores(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Return the metric that decides for the first of the runs, of the best epoch of each."""
    monitor = next((run.result.monitor for run in runs if run.result and run.result.monitor), "loss")
    return {f"best {monitor}": {run.id: facts.best_metrics(run).get(monitor) for run in runs}}


def _axis(name: str, column: Mapping[str, Any]) -> Axis | None:
    known = [value for value in column.values() if _has_place(value)]
    return values_axis(name, known) if known else None


def _has_place(value: Any) -> bool:
    return value is not None and (not isinstance(value, float) or significant(value, _DIGITS) is not None)


def _place(axis: Axis, value: Any) -> float | None:
    return round(axis.place(value), 4) if _has_place(value) else None


def _shown(axis: Axis) -> dict[str, Any]:
    places, labels = axis.ticks()
    ticks = [[round(place, 4), label] for place, label in zip(places, labels, strict=True)]
    return {"name": theme.one_line(axis.name, _NAME_WIDTH), "ticks": ticks}
