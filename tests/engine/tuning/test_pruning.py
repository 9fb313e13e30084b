import itertools
import math
import random

import pytest

from jupyter_mltrain.domain.search import Objective, Prune
from jupyter_mltrain.engine.tuning import pruning

LOSS, ACCURACY = Objective.parse("val_loss"), Objective.parse("val_accuracy")
NUM_EPOCHS = 20


def curve(end: float, pace: float, *, start: float = 2.0) -> list[float]:
    """Return a loss that falls from `start` towards `end`, the faster the higher the pace."""
    return [end + (start - end) * math.exp(-pace * epoch / NUM_EPOCHS) for epoch in range(1, NUM_EPOCHS + 1)]


QUICK_BUT_POOR = [curve(end, 12.0) for end in (0.55, 0.6, 0.7, 0.8, 0.9)]
SLOW_WINNER = curve(0.1, 3.0)  # the worst of all for its first four epochs, the best at the end
STUCK = [[2.0 - 0.01 * epoch for epoch in range(NUM_EPOCHS)], [2.3] * NUM_EPOCHS]


def search(kind: Prune, curves: list[list[float]], objective: Objective = LOSS) -> list[int]:
    """Return how many epochs each trial was given."""
    pruner = pruning.made(kind, objective)
    given = []
    for number, values in enumerate(curves, 1):
        done = next(
            (n for n in range(1, NUM_EPOCHS + 1) if pruner and pruner.falls_behind(number, values[:n], NUM_EPOCHS)), NUM_EPOCHS
        )
        if pruner:
            pruner.ended(number, values[:done], pruned=done < NUM_EPOCHS)
        given.append(done)
    return given


def test_the_slow_winner_is_never_stopped_by_auto_whatever_the_order():
    assert SLOW_WINNER[3] > max(each[3] for each in QUICK_BUT_POOR)
    assert SLOW_WINNER[-1] < min(each[-1] for each in QUICK_BUT_POOR)
    curves = [SLOW_WINNER, *QUICK_BUT_POOR, *STUCK]
    for order in random.Random(0).sample(list(itertools.permutations(range(len(curves)))), 300):
        given = search(Prune.AUTO, [curves[place] for place in order])
        assert given[order.index(0)] == NUM_EPOCHS


def test_the_median_would_have_stopped_it():
    assert search(Prune.MEDIAN, [*QUICK_BUT_POOR, SLOW_WINNER])[-1] < NUM_EPOCHS


def test_auto_stops_what_has_no_outlook():
    given = search(Prune.AUTO, [curve(0.1, 8.0), *QUICK_BUT_POOR, *STUCK])
    assert given[0] == NUM_EPOCHS
    assert max(given[1:]) < NUM_EPOCHS // 2


def test_auto_takes_scores_that_rise():
    scores = [[1 - value / 3 for value in each] for each in (curve(0.1, 8.0), curve(0.6, 12.0))]
    assert search(Prune.AUTO, scores, ACCURACY) == search(Prune.AUTO, [curve(0.1, 8.0), curve(0.6, 12.0)]) == [NUM_EPOCHS, 8]


@pytest.mark.parametrize("kind", [Prune.MEDIAN, Prune.ASHA])
def test_others_stop_the_worst(kind):
    given = search(kind, [*QUICK_BUT_POOR, *STUCK, STUCK[1]])
    assert given[0] == NUM_EPOCHS
    assert given[-1] < NUM_EPOCHS


@pytest.mark.parametrize("kind", [Prune.AUTO, Prune.MEDIAN, Prune.ASHA])
def test_a_search_that_goes_on_stops_as_it_would_have(kind):
    curves = [*QUICK_BUT_POOR, SLOW_WINNER, *STUCK]
    whole = search(kind, curves)
    pruner = pruning.made(kind, LOSS)
    for number, (values, done) in enumerate(zip(curves[:5], whole[:5], strict=True), 1):
        pruner.ended(number, values[:done], pruned=done < NUM_EPOCHS)
    for number, values in enumerate(curves[5:], 6):
        done = next((n for n in range(1, NUM_EPOCHS + 1) if pruner.falls_behind(number, values[:n], NUM_EPOCHS)), NUM_EPOCHS)
        pruner.ended(number, values[:done], pruned=done < NUM_EPOCHS)
        assert done == whole[number - 1]


def test_none_stops_nothing():
    assert search(Prune.NONE, [*QUICK_BUT_POOR, *STUCK]) == [NUM_EPOCHS] * 7
