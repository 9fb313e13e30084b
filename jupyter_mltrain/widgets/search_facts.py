"""Reading a search for showing: its trials' values, scores and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_mltrain.domain.run import DURATION, Run, RunStatus
from jupyter_mltrain.domain.search import Objective, best_of
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.table import Cell, Value

_SCORE_DIGITS = 4  # three do not tell the best trials apart


def values(trial: Run) -> Mapping[str, Any]:
    """Return the values of the trial's hyperparameters."""
    return trial.trial.values if trial.trial else {}


def number(trial: Run) -> int:
    """Return the trial's number in its search."""
    return trial.trial.number if trial.trial else trial.number


def score(trial: Run, objective: Objective) -> float | None:
    """Return what the trial came to."""
    return trial.trial.scores.get(objective.metric) if trial.trial else None


def known_score(trial: Run, objective: Objective) -> float:
    """Return what a trial that has a score came to."""
    value = score(trial, objective)
    assert value is not None
    return value


def hyperparameters(trials: Iterable[Run]) -> list[str]:
    """Return the names that any trial has a value of, in the order in which they came up."""
    return list(dict.fromkeys(name for trial in trials for name in values(trial)))


def outcomes(trials: Iterable[Run]) -> str:
    """Return `13 completed, 6 pruned, 1 failed`."""
    counts = Counter(trial.status for trial in trials)
    order = dict.fromkeys((RunStatus.COMPLETED, RunStatus.PRUNED, RunStatus.FAILED, *RunStatus))
    return ", ".join(f"{theme.count(counts[status])} {status}" for status in order if counts[status])


def by_score(trials: Iterable[Run], objective: Objective) -> list[Run]:
    """Return the trials that have a score and were not cut short, the best first; the earlier of two that are equal."""
    scored = [
        (value, trial)
        for trial in trials
        if trial.status is not RunStatus.PRUNED and (value := score(trial, objective)) is not None
    ]
    sign = 1 if objective.direction == "min" else -1
    return [trial for _, trial in sorted(scored, key=lambda pair: sign * pair[0])]


def bests_so_far(trials: Iterable[Run], objectives: tuple[Objective, ...]) -> list[Run]:
    """Return the trials that were the best when they ended, taken in their order."""
    bests: list[Run] = []
    for trial in trials:
        best = best_of((*bests[-1:], trial), objectives)
        if best is trial:
            bests.append(trial)
    return bests


def repeatable(objectives: Iterable[Objective]) -> list[Objective]:
    """Return the objectives whose scores are the same whenever a search is: all but the time that a training took."""
    return [objective for objective in objectives if objective.metric != DURATION]


def seconds(trial: Run) -> float | None:
    """Return how long the trial trained, of one without a result how long it lasted."""
    if trial.result:
        return trial.result.duration
    return (trial.ended_at - trial.started_at).total_seconds() if trial.ended_at else None


def score_text(value: float) -> str:
    """Return a score with four significant digits, a count of parameters whole."""
    return theme.number(int(value) if abs(value) >= 10 and value.is_integer() else value, _SCORE_DIGITS)


def score_cell(value: float | None) -> Value:
    """Return a score as a table shows it."""
    return None if value is None else Cell(score_text(value), value)


def value_cell(trial: Run, name: str) -> Value:
    """Return a hyperparameter's value as a table shows it, empty where the trial had none."""
    if name not in values(trial):
        return None
    value = values(trial)[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return theme.recorded(value)
    return Cell(f"{value:.4g}" if isinstance(value, float) else str(value), value)


def cells(trial: Run, objectives: Sequence[Objective], names: Sequence[str]) -> list[Value]:
    """Return the scores, then the values, of a row about the trial."""
    return [
        *(score_cell(score(trial, objective)) for objective in objectives),
        *(value_cell(trial, name) for name in names),
    ]
