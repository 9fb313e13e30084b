"""What a search makes of its trials."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from jupyter_mltrain.domain.run import RunStatus, lower_is_better
from jupyter_mltrain.domain.search import Objective, front_of


def trials(scores):
    names = "abc"
    return [
        SimpleNamespace(status=RunStatus.COMPLETED, trial=SimpleNamespace(scores=dict(zip(names, each, strict=False))))
        for each in scores
    ]


def test_the_front_is_what_no_other_beats_in_all():
    scores = np.random.default_rng(0).integers(0, 12, size=(400, 3)).astype(float)
    objectives = tuple(map(Objective.parse, ("a:min", "b:max", "c:min")))
    costs = scores * (1, -1, 1)
    beaten = [any((other <= each).all() and (other < each).any() for other in costs) for each in costs]
    expected = sorted(tuple(each) for each, is_beaten in zip(costs, beaten, strict=True) if not is_beaten)
    front = front_of(trials(scores), objectives)
    assert [(each.trial.scores["a"], -each.trial.scores["b"], each.trial.scores["c"]) for each in front] == expected
    assert front_of(trials(scores), ()) == ()


def test_what_costs_is_better_the_lower():
    names = ("num_params", "duration", "val_loss", "mae", "val_accuracy", "num_params_f1")
    assert [lower_is_better(name) for name in names] == [True, True, True, True, False, False]
