"""Optuna's tree-structured Parzen estimator as an oracle of Keras Tuner."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras_tuner
import numpy as np
import optuna
from keras_tuner.engine.hyperparameters import Boolean, Choice, Fixed

from jupyter_mltrain.domain.search import Objective

_MOST_AT_RANDOM, _LEAST_AT_RANDOM = 10, 4
_MOST_COLLISIONS = 10
_HIGHEST = 1.0 - 1e-9  # Keras Tuner maps 0 … 1, the 1 left out

optuna.logging.set_verbosity(optuna.logging.WARNING)


class TPEOracle(keras_tuner.Oracle):
    """Proposes what is likelier among the good trials than among the others.

    A proposal hangs on the seed, the trials so far and their number alone: a resumed search proposes what an uninterrupted one
    would have. Numbers are searched by Keras Tuner's own mapping to 0 … 1, so that its logarithms and steps hold.

    Bergstra, Bardenet, Bengio and Kégl, Algorithms for Hyper-Parameter Optimization, NeurIPS 2011.

    Args:
        objectives: one, or several for the Pareto front.
        num_trials: the budget; a third of it, from four trials to ten, is drawn at random, four where it has no end.
        seed: from 1.
    """

    def __init__(self, objectives: Sequence[Objective], num_trials: int | None, seed: int) -> None:
        first = objectives[0]
        super().__init__(objective=keras_tuner.Objective(first.metric, first.direction), seed=seed)
        self.objectives = tuple(objectives)
        self._num_at_random = max(_LEAST_AT_RANDOM, min(_MOST_AT_RANDOM, (num_trials or 0) // 3))
        self.pruned: list[str] = []

    def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002 - Keras Tuner's signature
        """Return the values of the next trial; of the first one the defaults, where the cell gives some."""
        if not self.start_order and any(map(_has_given_default, self.hyperparameters.space)):
            return {"status": "RUNNING", "values": self._defaults()}
        study = study_of(self, self.objectives)
        for attempt in range(_MOST_COLLISIONS):
            values = self._suggested(study, attempt)
            if not self._duplicate(values):
                return {"status": "RUNNING", "values": values}
        values = self._random_values()
        return {"status": "STOPPED" if values is None else "RUNNING", "values": values}

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` takes."""
        return {**super().get_state(), "pruned": self.pruned}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self.pruned = list(state["pruned"])

    def _defaults(self) -> dict[str, Any]:
        hyperparameters = self.get_space()
        return {hp.name: hp.default for hp in hyperparameters.space if hyperparameters.is_active(hp)}

    def _suggested(self, study: Any, attempt: int) -> dict[str, Any]:
        study.sampler = self._sampler(attempt)
        with _quietly():
            proposal = study.ask()
        proposed = keras_tuner.HyperParameters()
        for hp in self.hyperparameters.space:
            proposed.merge([hp])
            if proposed.is_active(hp):
                with _quietly():
                    proposed.values[hp.name] = _suggested_value(proposal, hp)
        study.tell(proposal, state=optuna.trial.TrialState.FAIL)  # it is told anew with what it came to
        values: dict[str, Any] = proposed.values
        return values

    def _sampler(self, attempt: int) -> Any:
        seed = np.random.SeedSequence([self.seed, len(self.start_order), attempt]).generate_state(1)[0]
        with _quietly():
            return optuna.samplers.TPESampler(
                seed=int(seed), n_startup_trials=self._num_at_random, multivariate=True, group=True, constant_liar=True
            )


def study_of(oracle: Any, objectives: Sequence[Objective], *, all_completed: bool = False) -> Any:
    """Return an oracle's trials as a study of Optuna; pruned ones as completed with what they came to, where that is asked."""
    study = optuna.create_study(directions=["minimize" if each.direction == "min" else "maximize" for each in objectives])
    pruned = () if all_completed else getattr(oracle, "pruned", ())
    each = (_as_optuna(trial, oracle, objectives, pruned) for trial in oracle.trials.values())
    study.add_trials(list(filter(None, each)))
    return study


def _as_optuna(trial: Any, oracle: Any, objectives: Sequence[Objective], pruned: Sequence[str]) -> Any:
    """Return one of an oracle's trials as Optuna has it; None where it has come to nothing."""
    names = getattr(trial, "used", trial.hyperparameters.values)  # a body may not ask for all that is active
    searched = (hp for hp in oracle.hyperparameters.space if hp.name in names and not isinstance(hp, Fixed))
    active = [hp for hp in searched if trial.hyperparameters.is_active(hp)]
    parts: dict[str, Any] = {
        "params": {hp.name: _as_parameter(hp, trial.hyperparameters.values[hp.name]) for hp in active},
        "distributions": {hp.name: _distribution(hp) for hp in active},
    }
    if trial.status == "RUNNING":
        return optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, **parts)
    if trial.status != "COMPLETED" or not all(trial.metrics.exists(each.metric) for each in objectives):
        return None
    scores = [trial.score, *(trial.metrics.get_best_value(each.metric) for each in objectives[1:])]
    if trial.trial_id in pruned:
        reached = {int(trial.best_step): scores[0]}
        return optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED, intermediate_values=reached, **parts)
    return optuna.trial.create_trial(values=scores, **parts)


def _has_given_default(hp: Any) -> bool:
    """Tell whether a cell gives a default of its own; Keras Tuner's are the lowest number and the first choice."""
    if isinstance(hp, Boolean | Fixed):
        return False
    first = hp.values[0] if isinstance(hp, Choice) else hp.min_value
    return hp.default not in (None, first)


def _suggested_value(proposal: Any, hp: Any) -> Any:
    if isinstance(hp, Fixed):
        return hp.value
    if isinstance(hp, Choice | Boolean):
        return proposal.suggest_categorical(hp.name, list(hp.values))
    return hp.prob_to_value(proposal.suggest_float(hp.name, 0.0, _HIGHEST))


def _distribution(hp: Any) -> Any:
    if isinstance(hp, Choice | Boolean):
        return optuna.distributions.CategoricalDistribution(list(hp.values))
    return optuna.distributions.FloatDistribution(0.0, _HIGHEST)


def _as_parameter(hp: Any, value: Any) -> Any:
    return value if isinstance(hp, Choice | Boolean) else min(_HIGHEST, max(0.0, float(hp.value_to_prob(value))))


def _quietly() -> Any:
    """Ignore what Optuna warns of: that searching the parameters jointly is an experiment."""
    return warnings.catch_warnings(action="ignore")
