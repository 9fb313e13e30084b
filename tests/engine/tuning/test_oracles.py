from itertools import product

import keras_tuner
import pytest

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.domain.run import RunStatus
from jupyter_mltrain.domain.search import Objective, OracleKind
from jupyter_mltrain.engine.tuning import oracles
from tests.engine.tuning.sample_searches import MAX_EPOCHS, KnownSearch

SEARCHES = [OracleKind.RANDOM, OracleKind.BAYESIAN, OracleKind.HYPERBAND, OracleKind.TPE]


def small(hp: keras_tuner.HyperParameters) -> float:
    return abs(hp.Int("a", 1, 3) - 2) + (0.0 if hp.Choice("b", ["x", "y"]) == "y" else 0.5) + 0.1 * hp.Boolean("c")


class TestOnAKnownFunction:
    @pytest.mark.parametrize(("kind", "num_trials"), [("random", 30), ("bayesian", 16), ("hyperband", 30), ("tpe", 30)])
    def test_finds_a_better_place_than_the_average_one(self, kind, num_trials):
        search = KnownSearch(OracleKind(kind), num_trials=num_trials)
        search.go_on(num_trials)
        losses = [run.trial.scores["val_loss"] for run in search.runs]
        assert min(losses) < 0.06 < sum(losses) / len(losses)

    def test_learns_where_to_look(self):
        late = []
        for seed in range(5):
            search = KnownSearch(OracleKind.TPE, seed=seed, num_trials=40)
            search.go_on()
            losses = [run.trial.scores["val_loss"] for run in search.runs]
            late.append(sum(losses[30:]) / 10 < sum(losses[:10]) / 10)
        assert all(late)

    def test_walks_the_whole_grid_once(self):
        search = KnownSearch(OracleKind.GRID, num_trials=None, function=small)
        tried = search.go_on()
        assert sorted((each["a"], each["b"], each["c"]) for each in tried) == sorted(product((1, 2, 3), "xy", (False, True)))

    @pytest.mark.parametrize("kind", [OracleKind.RANDOM, OracleKind.TPE])
    def test_ends_when_all_was_tried(self, kind):
        tried = KnownSearch(kind, num_trials=100, function=small).go_on()
        assert len(tried) == len({tuple(each.items()) for each in tried}) == 12

    def test_hyperband_goes_on_with_the_best_of_a_round_for_more_epochs(self):
        search = KnownSearch(OracleKind.HYPERBAND, num_trials=None)
        asked = []
        while (trial := search.begin()) is not None:
            asked.append(dict(trial.hyperparameters.values))
            search.end(trial)
        assert {each["tuner/epochs"] for each in asked} == {1, 3, MAX_EPOCHS}
        second = next(each for each in asked if each["tuner/round"] == 1)
        first = [
            run for run, each in zip(search.runs, asked, strict=True) if each["tuner/bracket"] == 2 and not each["tuner/round"]
        ]
        best = min(first, key=lambda run: run.trial.scores["val_loss"])
        assert second["rate"] == best.trial.values["rate"]


class TestResumption:
    """A search that is rebuilt from its records proposes what it would have proposed uninterrupted."""

    @pytest.mark.parametrize("kind", [*SEARCHES, OracleKind.GRID])
    def test_between_any_two_trials(self, kind):
        num_trials = 15 if kind is OracleKind.BAYESIAN else 22
        expected = KnownSearch(kind, num_trials=num_trials).go_on(num_trials)
        cut = KnownSearch(kind, num_trials=num_trials)
        for place in range(num_trials):
            cut = cut.resumed(kind, num_trials=num_trials)
            assert cut.go_on(1) == [expected[place]]

    @pytest.mark.parametrize("kind", [*SEARCHES, OracleKind.GRID])
    def test_within_a_trial_that_is_given_out_again(self, kind):
        expected = KnownSearch(kind, num_trials=14).go_on(14)
        cut = KnownSearch(kind, num_trials=14)
        cut.go_on(12)
        running = cut.begin()
        rest = cut.resumed(kind, num_trials=14)
        assert rest.begin().hyperparameters.values == running.hyperparameters.values
        assert rest.go_on(2) == expected[12:]

    @pytest.mark.parametrize("kind", SEARCHES)
    def test_with_failed_and_pruned_trials(self, kind):
        def some(search, count):
            used = []
            for _ in range(count):
                trial = search.begin()
                number = len(search.runs)
                status = RunStatus.FAILED if number % 5 == 0 else RunStatus.PRUNED if number % 3 == 0 else RunStatus.COMPLETED
                search.end(trial, status=status)
                used.append(dict(search.runs[-1].trial.values))
            return used

        expected = some(KnownSearch(kind, num_trials=16), 16)
        cut = KnownSearch(kind, num_trials=16)
        some(cut, 13)
        assert some(cut.resumed(kind, num_trials=16), 3) == expected[13:]


def test_one_seed_gives_one_search_and_another_another():
    first, same, other = (KnownSearch(OracleKind.TPE, seed=seed).go_on(8) for seed in (0, 0, 1))
    assert first == same != other


def test_several_objectives_go_with_some_oracles_only():
    both = (Objective.parse("val_loss"), Objective.parse("-num_params"))
    with pytest.raises(OptionError, match="expected one objective for --oracle bayesian, received 2"):
        oracles.made(OracleKind.BAYESIAN, both, seed=0, num_trials=5, max_epochs=1)
    assert oracles.made(OracleKind.TPE, both, seed=0, num_trials=5, max_epochs=1).objectives == both


def test_an_oracle_of_the_user_must_be_one():
    with pytest.raises(OptionError, match=r"received str"):
        oracles.adopted("random search", 5)
