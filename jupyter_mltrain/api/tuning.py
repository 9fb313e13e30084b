"""Searching from Python."""

from __future__ import annotations

import inspect
from typing import Any

from jupyter_mltrain.api.session import opened
from jupyter_mltrain.api.training import NOT_OF_THE_SPEC, Body, train, train_spec
from jupyter_mltrain.domain.errors import OptionError, did_you_mean
from jupyter_mltrain.domain.search import Objective, OracleKind, Prune, Search, SearchSpec
from jupyter_mltrain.domain.spec import AUTO, Auto, chosen

_NOT_TUNED = (*NOT_OF_THE_SPEC, "dry_run", "checkpoint_every", "keep_checkpoints", "fork")


def tune(
    body: Any,
    *,
    trials: int | None = None,
    oracle: Any = OracleKind.TPE,
    objective: str | None = None,
    max_time: float | None = None,
    patience: int | None = None,
    executions_per_trial: int = 1,
    prune: str = "auto",
    max_failures: int = 3,
    parallel: int | Auto = AUTO,
    workers: str | None = None,
    resume: str | None = None,
    **training: Any,
) -> Search:
    """Search for the best hyperparameters, watched and recorded as a `%%tune` cell is.

    Args:
        body: a function of `hp`, Keras Tuner's `HyperParameters`, called once a trial: the `fit` calls in it are recorded, or
            the model that it returns is trained on `data`; or a `HyperModel`.
        trials: how many at most; 30, all that there are with `grid` and `hyperband`, as many as fit with `max_time`.
        oracle: `tpe`, `random`, `grid`, `bayesian`, `hyperband` or a `keras_tuner.Oracle`.
        objective: `val_accuracy`, `val_f1:max`, `val_loss,num_params`: what decides; the first which trial is the best.
        max_time: seconds after which the search ends.
        patience: end after so many trials without a better one.
        executions_per_trial: trainings of one trial's values, whose mean counts.
        prune: stop trials that fall behind: `auto`, `median`, `asha` or `none`.
        max_failures: end when so many trials in a row failed.
        parallel: how many trials are trained side by side, each in a process of its own; 1 trains in this process; `auto`
            begins here and goes on in processes where that pays.
        workers: `HOST:PORT` at which workers of other machines may join; what they are to run is printed.
        resume: a search to go on with.
        **training: what `train` takes, for every trial; `name`, `tags`, `note` and `register` are the search's.

    Returns:
        the search as it is recorded, with its trials.

    Raises:
        MLTrainError: what was asked cannot be done.
        Exception: whatever the function raises before the first trial, unchanged.
    """
    from jupyter_mltrain.services.tuning import tune as tune_cell
    from jupyter_mltrain.widgets.search_view import SearchView

    spec = SearchSpec(
        training=train_spec(_completed(training)),
        trials=trials,
        oracle=oracle,
        objectives=tuple(map(Objective.parse, objective.split(","))) if objective else (),
        max_time=max_time,
        patience=patience,
        executions_per_trial=executions_per_trial,
        prune=chosen("prune", Prune, prune),
        max_failures=max_failures,
        parallel=parallel,
        workers=workers,
        resume=resume,
    )
    with opened() as session, SearchView(resume or spec.training.name or "search") as view:
        return tune_cell(session, spec, Body(body), on_event=view.on_event, control=view.control)


def _completed(training: dict[str, Any]) -> dict[str, Any]:
    """Return all options of `train`, with its own defaults for those that were not given."""
    known = {name: each.default for name, each in inspect.signature(train).parameters.items() if name not in _NOT_TUNED}
    for name in training.keys() - known.keys():
        raise OptionError(f"expected options of tune() or train(), received {name!r}{did_you_mean(name, known)}")
    return {**known, **training}
