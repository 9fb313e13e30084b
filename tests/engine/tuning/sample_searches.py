"""Searches of a known function, driven as the engine drives an oracle, without a training."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras_tuner

from jupyter_mltrain.domain.run import Epoch, Process, Run, RunStatus, Trial
from jupyter_mltrain.domain.search import Objective, OracleKind
from jupyter_mltrain.engine.tuning import oracles
from jupyter_mltrain.engine.tuning.hyperparameters import HyperParameters

LOSS = Objective(metric="val_loss", direction="min")
MAX_EPOCHS = 9


def bowl(hp: keras_tuner.HyperParameters) -> float:
    """Return a loss whose lowest value, 0, is at units 64, rate 0.01, adam; momentum counts only with sgd."""
    units = hp.Int("units", 16, 256, step=16)
    rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    optimizer = hp.Choice("optimizer", ["sgd", "adam"])
    loss = ((units - 64) / 240) ** 2
    loss += (math.log10(rate) + 2) ** 2 / 9
    with hp.conditional_scope("optimizer", ["sgd"]):
        momentum = hp.Float("momentum", 0.0, 0.9)
        loss += 0.2 + 0.1 * (0.9 - momentum) if optimizer == "sgd" else 0.0
    return loss


class KnownSearch:
    """An oracle that is told a function's values, and the records that the store would have."""

    def __init__(
        self, kind: OracleKind, *, seed: int = 3, num_trials: int | None = 20, function: Callable[..., float] = bowl
    ) -> None:
        self._function = function
        self.oracle: Any = oracles.made(kind, (LOSS,), seed=seed, num_trials=num_trials, max_epochs=MAX_EPOCHS)
        space = HyperParameters()
        function(space)
        self.oracle.update_space(space)
        self.runs: list[Run] = []
        self.state: Mapping[str, Any] = oracles.state_of(self.oracle)

    def resumed(self, kind: OracleKind, **options: Any) -> KnownSearch:
        """Return what goes on from the records of this one, in another process as it were."""
        other = KnownSearch(kind, function=self._function, **options)
        oracles.restore(other.oracle, json.loads(json.dumps(self.state)), self.runs)
        other.runs = list(self.runs)
        return other

    def begin(self) -> Any:
        """Return the oracle's next trial, recorded as running; None at the end."""
        trial = self.oracle.create_trial("trial1")
        if trial.status != "RUNNING":
            return None
        self.state = oracles.state_of(self.oracle)
        number = self.oracle.start_order.index(trial.trial_id) + 1
        self.runs[number - 1 :] = [_run(number, trial.hyperparameters.values, RunStatus.RUNNING, {}, ())]
        return trial

    def end(self, trial: Any, *, status: RunStatus = RunStatus.COMPLETED) -> float:
        """Tell the oracle and the records what the trial came to."""
        hp = HyperParameters.of(trial.hyperparameters.values, trial.hyperparameters)
        loss = self._function(hp)
        number = self.oracle.start_order.index(trial.trial_id) + 1
        scores = {} if status is RunStatus.FAILED else {"val_loss": loss}
        epochs = (
            tuple(Epoch(number=n, phase=1, metrics={"val_loss": loss + 1 / n - 1 / 3}, seconds=0.0) for n in (1, 2, 3))
            if scores
            else ()
        )
        for epoch in epochs:
            oracles.report(self.oracle, trial, epoch.metrics, epoch.number)
        oracles.end(self.oracle, trial, status=status, space=hp, values=hp.used, scores=scores, num_epochs=len(epochs))
        self.state = oracles.state_of(self.oracle)
        self.runs[number - 1] = _run(number, hp.used, status, scores, epochs)
        return loss

    def go_on(self, most: int = 1000) -> list[dict[str, Any]]:
        """Do trials until the oracle ends, or so many; return what they used."""
        tried = []
        while len(tried) < most and (trial := self.begin()) is not None:
            self.end(trial)
            tried.append(dict(self.runs[self.oracle.start_order.index(trial.trial_id)].trial.values))  # type: ignore[union-attr]
        return tried


def _run(
    number: int, values: Mapping[str, Any], status: RunStatus, scores: Mapping[str, float], epochs: tuple[Epoch, ...]
) -> Run:
    return Run(
        id=f"trial{number}",
        name=f"known#1/{number}",
        number=1,
        status=status,
        source="",
        started_at=datetime.now(UTC),
        ended_at=None,
        user="",
        process=Process(host="", pid=1, started=0.0),
        options={},
        tags={},
        note="",
        facts={},
        result=None,
        failure=None,
        epochs=epochs,
        folder=Path(),
        trial=Trial(search="known#1", number=number, values=dict(values), scores=scores),
    )
