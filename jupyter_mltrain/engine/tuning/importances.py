"""How much each hyperparameter matters."""

from __future__ import annotations

import warnings
from typing import Any

from jupyter_mltrain.domain.search import Objective
from jupyter_mltrain.engine.tuning.tpe import study_of

_FEWEST_TRIALS = 8


def importances(oracle: Any, objective: Objective) -> dict[str, float]:
    """Return each hyperparameter's share, 0 to 1, the largest first; empty where it cannot be told.

    PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023): how differently a hyperparameter is spread among the better trials.

    Args:
        oracle: with its trials.
        objective: what is better.
    """
    import optuna

    study = study_of(oracle, (objective,), all_completed=True)
    completed = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,), deepcopy=False)
    if len(completed) < _FEWEST_TRIALS or len({trial.value for trial in completed}) < 2:
        return {}
    shared = set.intersection(*(set(trial.params) for trial in completed))
    if len(shared) < 2:
        return {}
    with warnings.catch_warnings(action="ignore"):
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), params=sorted(shared)
        )
    return {name: float(share) for name, share in found.items()}
