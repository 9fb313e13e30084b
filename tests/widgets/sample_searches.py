"""Searches as the store gives them, to be shown."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sample_runs import make_epochs, make_result, make_run

from jupyter_mltrain.domain.run import Failure, Process, Run, RunStatus, Trial
from jupyter_mltrain.domain.search import Search

SOURCE = """%%tune digits --trials 20
model = build(units=hp.Int("units", 16, 256, log=True))
model.fit(x_train, y_train, validation_data=(x_val, y_val))
"""

SPACE: list[dict[str, Any]] = [
    {"name": "units", "kind": "Int", "default": 16, "min": 16, "max": 256, "step": None, "log": True},
    {"name": "dropout", "kind": "Float", "default": 0.0, "min": 0.0, "max": 0.5, "step": 0.1, "log": False},
    {"name": "optimizer", "kind": "Choice", "default": "adam", "values": ["adam", "sgd"]},
]

FACTS: dict[str, Any] = {
    "oracle": "tpe",
    "prune": "auto",
    "seed": 7,
    "objectives": ["val_accuracy:max"],
    "space": SPACE,
    "importances": {"dropout": 0.3, "units": 0.6, "optimizer": 0.1},
    "seconds_saved": 40.0,
}

STARTED = datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC)


def make_trial(
    number: int, scores: float | dict[str, float] | None = None, values: dict[str, Any] | None = None, **changes: Any
) -> Run:
    """Return a completed trial of `digits#2`; a number as its score is its `val_accuracy`."""
    if not isinstance(scores, dict):
        scores = {} if scores is None else {"val_accuracy": scores}
    values = {"units": 16 * number, "dropout": 0.1, "optimizer": "adam"} if values is None else values
    trial = Trial(search="digits#2", number=number, values=values, scores=scores)
    started = STARTED + timedelta(seconds=5 * number)
    result = make_result(model_id=None, monitor="val_accuracy")
    run = make_run(
        number=number, trial=trial, started_at=started, ended_at=started + timedelta(seconds=5), result=result, tags={}, note=""
    )
    return replace(run, **changes)


def pruned(number: int, score: float, **changes: Any) -> Run:
    """Return a trial that was stopped after its first epoch."""
    result = make_result(model_id=None, epochs=1, best_epoch=1, monitor="val_accuracy", duration=1.0)
    changes = {"status": RunStatus.PRUNED, "result": result, "epochs": make_epochs(1, "loss"), **changes}
    return make_trial(number, score, **changes)


def failed(number: int, kind: str = "ValueError", message: str = "units must be even", **changes: Any) -> Run:
    """Return a trial that an exception has ended."""
    failure = Failure(kind=kind, message=message, traceback="Traceback …")
    return make_trial(number, **{"status": RunStatus.FAILED, "failure": failure, "result": None, "epochs": (), **changes})


def make_search(*trials: Run, **changes: Any) -> Search:
    """Return a completed search of these trials."""
    search = Search(
        id="01jzabc00009",
        name="digits",
        number=2,
        status=RunStatus.COMPLETED,
        source=SOURCE,
        started_at=STARTED,
        ended_at=STARTED + timedelta(seconds=192),
        user="ada",
        process=Process(host="lovelace", pid=4711, started=0.0),
        options={"trials": 20},
        tags={"stage": "draft"},
        note="first try",
        facts=FACTS,
        failure=None,
        num_trials=len(trials),
        trials=trials,
    )
    return replace(search, **changes)


SMALL = make_search(
    *(make_trial(1, 0.95), pruned(2, 0.6), make_trial(3, 0.97216), failed(4), make_trial(5, 0.96)),
)
"""Five trials, the third the best."""


def wave(seed: int) -> float:
    """Return a number from 0 to 1 that looks random and is the same for the same seed."""
    return (math.sin(9301.7 * seed) + 1) / 2


def _settings(number: int) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "learning_rate": 10 ** (-4 + 3 * wave(number)),
        "units": int(16 * 16 ** wave(number + 1000)),
        "dropout": round(0.5 * wave(number + 2000), 1),
        "batch_size": (16, 32, 64, 128)[number % 4],
        "optimizer": ("adam", "sgd", "rmsprop")[number % 3],
        "regularizer": (None, "l1", "l2")[number % 5 % 3],
        "batch_normalization": number % 2 == 0,
        "num_layers": 1 + number % 3,
    }
    if settings["num_layers"] == 3:
        settings["units_3"] = 8 * (1 + number % 7)
    return settings


WIDE_SPACE: list[dict[str, Any]] = [
    {"name": "learning_rate", "kind": "Float", "default": 1e-3, "min": 1e-4, "max": 1e-1, "step": None, "log": True},
    *SPACE[:2],
    {"name": "batch_size", "kind": "Choice", "default": 32, "values": [16, 32, 64, 128]},
    {"name": "optimizer", "kind": "Choice", "default": "adam", "values": ["adam", "sgd", "rmsprop"]},
    {"name": "regularizer", "kind": "Choice", "default": None, "values": [None, "l1", "l2"]},
    {"name": "batch_normalization", "kind": "Boolean", "default": False},
    {"name": "num_layers", "kind": "Int", "default": 1, "min": 1, "max": 3, "step": 1, "log": False},
    {
        "name": "units_3",
        "kind": "Int",
        "default": 8,
        "min": 8,
        "max": 56,
        "step": 8,
        "log": False,
        "condition": "num_layers is 3",
    },
]


def make_large_search(num: int = 200, **facts: Any) -> Search:
    """Return a search in a space of numbers, choices, booleans and a conditional one, by accuracy and number of parameters."""
    trials = []
    for number in range(1, num + 1):
        values = _settings(number)
        score = 0.99 - 0.05 * abs(math.log10(values["learning_rate"]) + 2.5) - values["dropout"] / 5 + 0.02 * wave(number + 7)
        scores = {"val_accuracy": score, "num_params": 500.0 * values["units"] * values["num_layers"]}
        if number % 11 == 0:
            trials.append(failed(number, values=values))
        elif number % 3 == 0 and number > 5:
            trials.append(pruned(number, {**scores, "val_accuracy": score - 0.1}, values=values))
        else:
            trials.append(make_trial(number, scores, values))
    importances = {"learning_rate": 0.5, "dropout": 0.25, "units": 0.1, "optimizer": 0.07, "num_layers": 0.05, "units_3": 0.03}
    return make_search(*trials, facts={**FACTS, "space": WIDE_SPACE, "importances": importances, **facts})
