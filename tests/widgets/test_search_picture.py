from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from matplotlib import image
from sample_searches import FACTS, SMALL, failed, make_large_search, make_search, make_trial, pruned

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.search import Search
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.axis import score_axis, setting_axis
from jupyter_mltrain.widgets.search_picture import SearchPicture

BLUE, ORANGE, PINK, MUTED = (
    tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in (*theme.SERIES[:2], theme.SERIES[3], theme.MUTED)
)
TWO = {"objectives": ["val_accuracy:max", "num_params:min"]}


def pixels(search: Search) -> Any:
    """The picture's red, green and blue, 0 to 255."""
    picture = SearchPicture(search).picture()
    assert picture is not None
    assert picture.png.startswith(b"\x89PNG")
    return np.rint(image.imread(io.BytesIO(picture.png), format="png")[..., :3] * 255).astype(int)


def num_with(picture: Any, colour: tuple[int, ...]) -> int:
    return int((picture == colour).all(axis=-1).sum())


def test_the_text_says_what_is_drawn_and_nothing_that_changes() -> None:
    large = make_large_search(60)
    assert SearchPicture(large).text() == "history, importances, parallel coordinates, slices by val_accuracy: 60 trials"
    slower = make_large_search(60, seconds_saved=99.0)
    assert SearchPicture(slower).text() == SearchPicture(large).text()
    two = make_large_search(60, **TWO, importances={})
    assert SearchPicture(two).text() == "history, Pareto front, parallel coordinates, slices by val_accuracy: 60 trials"


def test_200_trials_of_9_hyperparameters_are_under_150_kb_and_always_the_same_bytes() -> None:
    picture = SearchPicture(make_large_search(200)).picture()
    assert picture is not None
    assert 30_000 < len(picture.png) < 150_000
    assert (picture.width, picture.height) == (765, 748)
    assert SearchPicture(make_large_search(200)).picture() == picture


@pytest.mark.parametrize("trials", [(), (failed(1), failed(2)), (make_trial(1), make_trial(2))])
def test_without_a_score_there_is_a_sentence_in_place_of_the_picture(trials: tuple[Run, ...]) -> None:
    picture = SearchPicture(make_search(*trials))
    assert picture._repr_mimebundle_() == {"text/plain": "no picture of the search: no trial has a score"}
    assert SearchPicture(make_search(*trials, facts={})).picture() is None


def test_one_trial_is_a_history() -> None:
    search = make_search(make_trial(1, 0.9), facts={**FACTS, "importances": {}})
    assert SearchPicture(search).text() == "history by val_accuracy: 1 trial"
    assert num_with(pixels(search), ORANGE) > 20


def test_trials_are_marked_by_how_they_ended() -> None:
    search = make_search(*(make_trial(n, 0.5 + n / 100, {}) for n in (2, 1, 3)), facts={**FACTS, "importances": {}})
    plain = pixels(search)
    assert num_with(plain, ORANGE) > 100
    with_pruned = make_search(*search.trials, pruned(4, 0.52, values={}), facts=search.facts)
    assert num_with(pixels(with_pruned), MUTED) > num_with(plain, MUTED)
    with_failed = make_search(*search.trials, failed(4, values={}), facts=search.facts)
    assert (num_with(plain, PINK), num_with(pixels(with_failed), PINK) > 5) == (0, True)


def test_importances_are_drawn_where_they_are_known() -> None:
    without = make_search(*SMALL.trials, facts={**FACTS, "importances": None})
    assert "importances" not in SearchPicture(without).text()
    assert num_with(pixels(SMALL), BLUE) > num_with(pixels(without), BLUE) + 5000


def test_a_hyperparameter_that_never_changed_has_no_slice() -> None:
    fixed = make_search(*(make_trial(n, n / 10, {"units": 32, "dropout": 0.1}) for n in (1, 2, 3)))
    assert "slices" not in SearchPicture(fixed).text()
    assert "slices" in SearchPicture(SMALL).text()
    assert "parallel" not in SearchPicture(SMALL).text()  # with one hyperparameter it would be the slice


def test_the_best_line_is_drawn_through_parallel_coordinates() -> None:
    search = make_search(*(make_trial(n, n / 10, {"a": n, "b": 10 - n}) for n in range(1, 6)), facts=FACTS | {"importances": {}})
    row = pixels(search)[420:700]
    assert (row == ORANGE).all(axis=-1).any(axis=0).sum() > 500  # from the first axis to the last


@pytest.mark.parametrize(
    "value", ["$x^2$", r"$\frac{$", "a\nb\u202ec", "_private", "x" * 9999, None, True, 10**30, 1e300, -1e-300]
)
def test_any_name_and_value_is_drawn_without_a_word(value: Any, recwarn: pytest.WarningsRecorder, capfd: Any) -> None:
    name = str(value)[:2000]
    trials = [make_trial(n, 0.5 + n / 10, {name: choice, "b": n}) for n, choice in enumerate((value, "other", 3), 1)]
    facts = {"objectives": ["val_accuracy:max"], "importances": {name: 0.5}}
    for search in (make_search(*trials, facts=facts), make_search(trials[0], trials[2], facts=facts)):
        SearchPicture(search).picture()
    assert [str(warning.message) for warning in recwarn] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("scores", [(0.5, 0.5), (0.0, 0.0), (-1e300, 1e300), (1e-9, 1e9), (-5.0, 3.0)])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_any_scores_can_be_drawn(scores: tuple[float, float], direction: str, recwarn: pytest.WarningsRecorder) -> None:
    trials = [make_trial(n, score, {"a": n, "b": -n}) for n, score in enumerate(scores, 1)]
    SearchPicture(make_search(*trials, facts={"objectives": [f"val_accuracy:{direction}"]})).picture()
    assert [str(warning.message) for warning in recwarn] == []


def test_axes_of_numbers_are_as_wide_as_the_space_and_logarithmic_where_it_is() -> None:
    search = make_large_search(20)
    rate = setting_axis("learning_rate", search.trials, search.facts["space"])
    assert rate.ticks()[1] == ["0.0001", "0.001", "0.01", "0.1"]
    assert [round(place, 6) for place in rate.ticks()[0]] == [0, 0.333333, 0.666667, 1]
    assert setting_axis("num_layers", search.trials, search.facts["space"]).ticks() == ([0, 0.5, 1], ["1", "2", "3"])
    assert setting_axis("units", search.trials, search.facts["space"]).ticks()[1] == ["20", "50", "100", "200"]


def test_axes_of_anything_else_have_a_place_each() -> None:
    search = make_large_search(20)
    sizes = setting_axis("batch_size", search.trials, search.facts["space"])
    assert sizes.ticks() == ([0.125, 0.375, 0.625, 0.875], ["16", "32", "64", "128"])
    regularizers = setting_axis("regularizer", search.trials, search.facts["space"])
    assert regularizers.ticks()[1] == ["none", "l1", "l2"]
    assert regularizers.place(None) == pytest.approx(1 / 6)
    assert setting_axis("batch_normalization", search.trials, ()).labels == ("no", "yes")
    many = [make_trial(n, 0.5, {"a": f"value {n}"}) for n in range(100)]
    assert len(setting_axis("a", many, ()).ticks()[1]) == 8


def test_scores_that_are_to_fall_by_far_have_a_logarithmic_axis() -> None:
    loss, accuracy = (make_search(facts={"objectives": [text]}).objectives[0] for text in ("val_loss:min", "val_accuracy:max"))
    assert [score_axis(scores, loss).is_log for scores in ([0.1, 3.0], [0.1, 1.0], [-0.1, 3.0])] == [True, False, False]
    assert not score_axis([0.01, 0.99], accuracy).is_log
