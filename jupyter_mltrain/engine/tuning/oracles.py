"""The algorithms that choose values: Keras Tuner's own oracles, made exact to resume, and any other of its kind."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner import oracles
from keras_tuner.engine.trial import Trial as OracleTrial

from jupyter_mltrain.domain.errors import MissingExtraError, OptionError
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.domain.search import Objective, OracleKind
from jupyter_mltrain.engine.tuning.hyperparameters import INTERNAL
from jupyter_mltrain.engine.tuning.tpe import TPEOracle


class _BayesianOracle(oracles.BayesianOptimizationOracle):
    """Keras Tuner's, whose random numbers hang on the seed and the place in the search alone."""

    def populate_space(self, trial_id: str) -> Any:
        self._random_state = np.random.RandomState([self.seed, len(self.start_order)])
        return super().populate_space(trial_id)


class _GridOracle(oracles.GridSearchOracle):
    """Keras Tuner's, which forgets its place in the grid when it is saved (its issue 1055)."""

    def get_state(self) -> dict[str, Any]:
        ids = self._ordered_ids
        order = [ids._memory[0]] if ids._memory else []  # noqa: SLF001
        while order and (following := ids.next(order[-1])) is not None:
            order.append(following)
        return {**super().get_state(), "ordered_ids": order, "populate_next": self._populate_next}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for trial_id in state["ordered_ids"]:
            self._ordered_ids.insert(trial_id)
        self._populate_next = list(state["populate_next"])


_KINDS: Mapping[OracleKind, Any] = {
    OracleKind.RANDOM: oracles.RandomSearchOracle,
    OracleKind.GRID: _GridOracle,
    OracleKind.BAYESIAN: _BayesianOracle,
    OracleKind.HYPERBAND: oracles.HyperbandOracle,
    OracleKind.TPE: TPEOracle,
}
_MOST_COLLISIONS = 500
_MANY_OBJECTIVES = (OracleKind.RANDOM, OracleKind.GRID, OracleKind.TPE)


def made(kind: OracleKind, objectives: Sequence[Objective], *, seed: int, num_trials: int | None, max_epochs: int | None) -> Any:
    """Make an oracle.

    Args:
        kind: which.
        objectives: the first is what Keras Tuner's own look at.
        seed: from 0.
        num_trials: how many there may be; None for as many as the oracle wants.
        max_epochs: of a trial, which Hyperband divides.

    Raises:
        OptionError: the oracle knows one objective only.
        MissingExtraError: the oracle needs a package that is not installed.
    """
    if len(objectives) > 1 and kind not in _MANY_OBJECTIVES:
        raise OptionError(
            f"expected one objective for --oracle {kind}, received {len(objectives)}: "
            f"several go with {', '.join(_MANY_OBJECTIVES)}"
        )
    options: dict[str, Any] = {"seed": seed + 1}  # Keras Tuner takes 0 for none
    if kind is OracleKind.TPE:
        options |= {"objectives": objectives, "num_trials": num_trials}
    else:
        options["objective"] = keras_tuner.Objective(objectives[0].metric, objectives[0].direction)
    if kind is OracleKind.HYPERBAND:
        options["max_epochs"] = max_epochs or 1
    try:
        oracle = _KINDS[kind](**options)
    except ImportError as error:
        raise MissingExtraError(
            'expected scikit-learn for --oracle bayesian, it is not installed: pip install "jupyter-mltrain[bayesian]"'
        ) from error
    oracle._max_collisions = _MOST_COLLISIONS  # noqa: SLF001 - with Keras Tuner's own 20 a small space often ends too early
    return adopted(oracle, num_trials)


def adopted(oracle: Any, num_trials: int | None) -> Any:
    """Return an oracle that writes no files, prints nothing and leaves it to us to count failures.

    Raises:
        OptionError: it is no oracle of Keras Tuner.
    """
    if not isinstance(oracle, keras_tuner.Oracle):
        names = ", ".join(OracleKind)
        raise OptionError(
            f"expected --oracle {names} or an expression that gives a keras_tuner.Oracle, received {type(oracle).__name__}: "
            "keras_tuner.oracles has some"
        )
    oracle.verbose = 0
    oracle.max_trials = num_trials
    oracle.max_consecutive_failed_trials = sys.maxsize
    oracle.save = lambda: None
    oracle._save_trial = lambda _trial: None  # noqa: SLF001
    return oracle


def objectives_of(oracle: Any) -> tuple[Objective, ...]:
    """Return what an oracle of the user's own looks for; empty for none and for Keras Tuner's nameless default."""
    if oracle is None or oracle.objective.name == "default_objective":
        return ()
    each = getattr(oracle.objective, "objectives", [oracle.objective])
    return tuple(Objective(metric=one.name, direction=one.direction) for one in each)


def state_of(oracle: Any) -> dict[str, Any]:
    """Return what `restore` needs besides the trials, ready for JSON."""
    state = dict(oracle.get_state())
    state.pop("display", None)
    return state


def restore(oracle: Any, state: Mapping[str, Any], trials: Sequence[Run]) -> None:
    """Bring an oracle to where another of its kind stood.

    Args:
        oracle: new.
        state: what `state_of` gave.
        trials: of the search, in their order, with their epochs.
    """
    space = keras_tuner.HyperParameters.from_config(copy.deepcopy(state["hyperparameters"]))
    oracle.trials = {
        trial_id: _restored(trial_id, run, space, oracle) for trial_id, run in zip(state["start_order"], trials, strict=True)
    }
    oracle.set_state({**copy.deepcopy(dict(state)), "display": oracle._display.get_state()})  # noqa: SLF001


def _restored(trial_id: str, run: Run, space: keras_tuner.HyperParameters, oracle: Any) -> OracleTrial:
    assert run.trial is not None
    hyperparameters = space.copy()
    hyperparameters.values = dict(run.trial.values)
    trial = OracleTrial(hyperparameters=hyperparameters, trial_id=trial_id, status=status_of(run.status))
    if trial.status != "RUNNING":
        trial.used = tuple(run.trial.values)
    hyperparameters.ensure_active_values()
    for epoch in run.epochs:
        report(oracle, trial, epoch.metrics, epoch.number)
    if trial.status == "COMPLETED":
        score(oracle, trial, run.trial.scores, len(run.epochs))
    return trial


def report(oracle: Any, trial: OracleTrial, metrics: Mapping[str, float], step: int) -> None:
    """Tell a trial, not its oracle, what was measured in an epoch."""
    objective = oracle.objective
    if objective.has_value(metrics):
        _update(trial, objective.name, objective.get_value(metrics), objective.direction, step)


def score(oracle: Any, trial: OracleTrial, scores: Mapping[str, float], step: int) -> None:
    """Tell a trial what it came to; it has failed where that is not what its oracle looks for."""
    report(oracle, trial, scores, step)
    for each in getattr(oracle, "objectives", ())[1:]:
        _update(trial, each.metric, scores[each.metric], each.direction, step)
    objective = oracle.objective
    if not trial.metrics.exists(objective.name):
        trial.status = "FAILED"
    elif objective.has_value(scores):
        trial.score, trial.best_step = objective.get_value(scores), trial.metrics.get_best_step(objective.name)
    else:
        oracle.score_trial(trial)


def end(
    oracle: Any,
    trial: OracleTrial,
    *,
    status: RunStatus,
    space: keras_tuner.HyperParameters,
    values: Mapping[str, Any],
    scores: Mapping[str, float],
    num_epochs: int,
) -> None:
    """End a trial.

    Args:
        oracle: that proposed it.
        trial: its own object.
        status: completed, pruned or failed.
        space: all that the body knows of, active or not.
        values: of what it asked for.
        scores: a value for each objective; empty where it has come to nothing.
        num_epochs: that it had.
    """
    internal = {name: value for name, value in trial.hyperparameters.values.items() if name.startswith(INTERNAL)}
    trial.hyperparameters.merge(space.space, overwrite=False)
    trial.hyperparameters.values = {**values, **internal}
    trial.used = tuple(values)
    trial.status = status_of(status) if scores else "FAILED"
    if scores:
        score(oracle, trial, scores, num_epochs)
    reached = trial.score
    if status is RunStatus.PRUNED and hasattr(oracle, "pruned"):
        oracle.pruned.append(trial.trial_id)
    oracle.end_trial(trial)
    trial.score = reached  # Keras Tuner takes the best epoch's mean over the executions, we the mean of their best


def _update(trial: OracleTrial, name: str, value: float, direction: str, step: int) -> None:
    if not trial.metrics.exists(name):
        trial.metrics.register(name, direction=direction)
    trial.metrics.update(name, value, step=step)


def status_of(status: RunStatus) -> str:
    """Return Keras Tuner's word; a pruned trial counts with what it came to."""
    return {
        RunStatus.COMPLETED: "COMPLETED",
        RunStatus.PRUNED: "COMPLETED",
        RunStatus.FAILED: "FAILED",
    }.get(status, "RUNNING")
