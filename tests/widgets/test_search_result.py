from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sample_runs import Page, make_result
from sample_searches import FACTS, SMALL, failed, make_large_search, make_search, make_trial, pruned

from jupyter_mltrain.domain.run import Failure, Process, Run, RunStatus
from jupyter_mltrain.widgets.search_result import SearchResult

EVIL = "<script>alert(1)</script>"


def test_the_result_of_a_completed_search() -> None:
    assert SearchResult(SMALL, ("Seed 7 was chosen.",)).text() == "\n".join(
        [
            "digits: completed, 5 trials: 3 completed, 1 pruned, 1 failed; best trial 3 by val_accuracy 0.9722",
            "  trial  val_accuracy  units  dropout  optimizer  epochs",
            "      3        0.9722     48      0.1  adam            4",
            "      5        0.9600     80      0.1  adam            4",
            "      1        0.9500     16      0.1  adam            4",
            'Train with its values: %%train --hp digits/3 … Its model: jupyter_mltrain.load_model("digits/3")',
            "Failed: ValueError: units must be even (trial 4)",
            "Seed 7 was chosen.",
        ]
    )


def test_the_result_as_html_says_the_same() -> None:
    page = Page(SearchResult(SMALL, ("<b>notice</b>",)).html())
    assert page.rows[:2] == [
        ["trial", "val_accuracy", "units", "dropout", "optimizer", "epochs"],
        ["3", "0.9722", "48", "0.1", "adam", "4"],
    ]
    assert "best trial 3 by val_accuracy 0.9722" in page.text
    assert 'jupyter_mltrain.load_model("digits/3")' in page.text
    assert "<b>notice</b>" in page.text
    assert page.scripts == []


def test_the_result_is_the_same_for_searches_that_differ_only_in_what_changes_every_time() -> None:
    again = replace(
        SMALL,
        id="01k000000009",
        number=12,
        started_at=SMALL.started_at + timedelta(days=400),
        ended_at=None,
        user="grace",
        process=Process(host="hopper", pid=1, started=1.0),
        facts={**FACTS, "seconds_saved": 99.0, "importances": {}},
        trials=tuple(_later(trial) for trial in SMALL.trials),
    )
    assert SearchResult(SMALL)._repr_mimebundle_() == SearchResult(again)._repr_mimebundle_()


def _later(run: Run) -> Run:
    assert run.trial is not None
    trial = replace(run.trial, search="digits#12")
    result = replace(run.result, duration=99.0) if run.result else None
    return replace(run, trial=trial, result=result, started_at=run.started_at + timedelta(days=400), ended_at=None, id="01k")


def test_the_five_best_are_shown_those_cut_short_left_out() -> None:
    trials = [make_trial(n, 0.5 + n / 100) for n in range(1, 9)]
    rows = Page(SearchResult(make_search(*trials, pruned(9, 0.99))).html()).rows
    assert [row[0] for row in rows] == ["trial", "8", "7", "6", "5", "4"]


def test_the_lowest_is_best_where_the_objective_says_so() -> None:
    trials = [make_trial(n, {"val_loss": loss}) for n, loss in enumerate((0.3, 0.1, 0.2), 1)]
    search = make_search(*trials, facts={"objectives": ["val_loss:min"]})
    assert "best trial 2 by val_loss 0.1000" in SearchResult(search).text()
    assert [row[0] for row in Page(SearchResult(search).html()).rows[1:]] == ["2", "3", "1"]


def test_of_several_objectives_the_pareto_front_is_shown() -> None:
    points = [(0.9, 1000.0), (0.95, 5000.0), (0.92, 6000.0), (0.8, 900.0)]
    trials = [make_trial(n, {"val_accuracy": a, "num_params": p}) for n, (a, p) in enumerate(points, 1)]
    result = SearchResult(make_search(*trials, facts={"objectives": ["val_accuracy:max", "num_params:min"]}))
    page = Page(result.html())
    assert [row[:3] for row in page.rows] == [
        ["trial", "val_accuracy", "num_params"],
        *(["2", "0.9500", "5000"], ["1", "0.9000", "1000"], ["4", "0.8000", "900"]),
    ]
    assert "Pareto front: 3 trials" in page.text
    assert "best trial 2 by val_accuracy 0.9500" in page.text


def test_times_are_never_written_even_as_the_objective() -> None:
    trials = [make_trial(n, {"duration": 4.0 + n, "val_accuracy": 0.9}) for n in (1, 2)]
    text = SearchResult(make_search(*trials, facts={"objectives": ["duration:min", "val_accuracy:max"]})).text()
    assert "best trial 1 by duration\n" in text
    assert "5.0" not in text
    assert "  trial  val_accuracy  units" in text


def test_values_of_every_kind_and_none_where_a_trial_had_none() -> None:
    one = make_trial(1, 0.9, {"a": None, "b": True, "c": 0.00012345678, "d": 12345, "e": "x\ny"})
    two = make_trial(2, 0.8, {"b": False})
    rows = Page(SearchResult(make_search(one, two)).html()).rows
    assert rows[1:] == [
        ["1", "0.9000", "none", "yes", "0.0001235", "12345", "x↵y", "4"],
        ["2", "0.8000", "", "no", *[""] * 3, "4"],
    ]


def test_causes_that_trials_share_are_said_once() -> None:
    trials = [failed(1), failed(2, "MemoryError", "no room"), *(failed(n) for n in range(3, 18))]
    line = SearchResult(make_search(*trials)).text().splitlines()[1]
    assert line == (
        "Failed: ValueError: units must be even (trials 1, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 6 more); "
        "MemoryError: no room (trial 2)"
    )


@pytest.mark.parametrize(
    ("trials", "status", "headline"),
    [
        ((), RunStatus.FAILED, "digits: failed after 0 trials"),
        ((failed(1), failed(2)), RunStatus.FAILED, "digits: failed after 2 trials: 2 failed; no trial has a score"),
        (
            (make_trial(7, 0.5),),
            RunStatus.STOPPED,
            "digits: stopped after 1 trial: 1 completed; best trial 7 by val_accuracy 0.5000",
        ),
        ((pruned(1, 0.5),), RunStatus.COMPLETED, "digits: completed, 1 trial: 1 pruned; best trial 1 by val_accuracy 0.5000"),
    ],
)
def test_the_headline_says_how_a_search_ended(trials: tuple[Run, ...], status: RunStatus, headline: str) -> None:
    assert SearchResult(make_search(*trials, status=status)).text().splitlines()[0] == headline


def test_a_search_that_failed_says_why() -> None:
    failure = Failure(kind="SearchError", message="3 trials in a row\nfailed", traceback="…")
    text = SearchResult(make_search(failed(1), status=RunStatus.FAILED, failure=failure)).text()
    assert text.splitlines()[0].endswith("no trial has a score; SearchError: 3 trials in a row↵failed")


def test_a_search_that_does_not_know_its_objective_is_a_headline() -> None:
    assert SearchResult(make_search(make_trial(1), facts={})).text() == (
        "digits: completed, 1 trial: 1 completed; no trial has a score"
    )


def test_no_script_of_a_user_survives() -> None:
    trial = make_trial(1, {EVIL: 0.5}, {EVIL: EVIL}, result=make_result(monitor=EVIL))
    search = make_search(trial, failed(2, EVIL, EVIL), name=EVIL, facts={"objectives": [f"{EVIL}:max"]})
    page = Page(SearchResult(search, (EVIL,)).html())
    assert page.text.count(EVIL) >= 8
    assert page.scripts == []


def test_a_large_search_is_short() -> None:
    assert len(SearchResult(make_large_search(200)).html()) < 5000
