"""What runs are found by, and what they are ordered by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jupyter_mltrain.domain.errors import UnknownNameError, did_you_mean
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.run_summary import RunSummary

Value = Any
"""What runs are ordered by: a number, None where a run has none, or anything else that has an order."""


def hyperparams(run: Run | RunSummary) -> dict[str, Any]:
    """Return what a training was done with; of a trial also what the search gave it."""
    return {**(run.result.hyperparams if run.result else {}), **(run.trial.values if run.trial else {})}


_OF_RUN: dict[str, Callable[[RunSummary], Value]] = {
    "ref": lambda run: (run.trial.search, run.trial.number) if run.trial else (run.name, run.number),
    "id": lambda run: run.id,
    "name": lambda run: run.name,
    "status": lambda run: run.status.value,
    "user": lambda run: run.user,
    "started_at": lambda run: run.started_at,
    "note": lambda run: run.note or None,
    "tags": lambda run: ", ".join(_tags(run)) or None,
}
_OF_RESULT = (
    *("epochs", "train_loss", "val_loss", "monitor", "best_epoch", "best_score", "duration"),
    *("strategy", "precision", "plan", "model_id"),
)
_GROUPS: dict[str, Callable[[RunSummary], Mapping[str, Any]]] = {
    "metrics": lambda run: {**(run.result.best_metrics if run.result else {}), **(run.trial.scores if run.trial else {})},
    "hyperparams": hyperparams,
    "tags": lambda run: run.tags,
}
COLUMNS = (*_OF_RUN, *_OF_RESULT)
"""The columns that runs have, whatever they are of."""

_EXAMPLES = ("metrics.loss", "hyperparams.epochs")


def value_of(column: str) -> Callable[[RunSummary], Value]:
    """Return what gives a run's value in a column of `runs.frame()`.

    Raises:
        UnknownNameError: there can be no such column; near misses are suggested.
    """
    group, _, name = column.partition(".")
    if column in _OF_RUN:
        return _OF_RUN[column]
    if column in _OF_RESULT:
        return lambda run: getattr(run.result, column) if run.result else None
    if name and group in _GROUPS:
        return lambda run: _plain(_GROUPS[group](run).get(name))
    raise UnknownNameError(f"no column named {column!r}{did_you_mean(column, [*COLUMNS, *_EXAMPLES])}")


def searched(run: RunSummary) -> str:
    """Return the text in which words are looked for."""
    model = (run.result and run.result.model_id) or ""
    return "\n".join((run.ref, run.status, run.user, run.note, model, *_tags(run))).casefold()


def ordered(runs: Iterable[RunSummary], sort: str, *, descending: bool) -> list[RunSummary]:
    """Return runs ordered by a column: numbers before texts, and last those without a value, in both directions."""
    value = value_of(sort)
    numbers: list[tuple[Value, RunSummary]] = []
    others: list[tuple[Value, RunSummary]] = []
    rest: list[RunSummary] = []
    for run in runs:
        key = value(run)
        if key is None or (isinstance(key, float) and math.isnan(key)):
            rest.append(run)
        else:
            (numbers if isinstance(key, int | float) else others).append((key, run))
    for keyed in (numbers, others):
        keyed.sort(key=lambda each: each[0], reverse=descending)
    return [*(run for _, run in numbers), *(run for _, run in others), *rest]


def _tags(run: RunSummary) -> list[str]:
    return [f"{key}={value}" if value else key for key, value in run.tags.items()]


def _plain(value: Any) -> Value:
    return value if isinstance(value, int | float | str | None) and not isinstance(value, bool) else str(value)
