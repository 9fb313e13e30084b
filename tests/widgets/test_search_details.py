from __future__ import annotations

from dataclasses import replace

from sample_runs import Page
from sample_searches import FACTS, SMALL, SOURCE, STARTED, failed, make_large_search, make_search, make_trial, pruned

from jupyter_mltrain.domain.run import Failure, RunStatus
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.run_view import RunDetails
from jupyter_mltrain.widgets.runs_view import RunComparison
from jupyter_mltrain.widgets.search_details import SearchDetails
from jupyter_mltrain.widgets.searches_view import SearchesTable

EVIL = "<script>alert(1)</script>"


def test_details_hold_all_that_is_recorded() -> None:
    html = SearchDetails(make_search(*SMALL.trials, facts={**FACTS, "said": ["Seed 7 was chosen."]})).html()
    page = Page(html)
    titles = [part.partition("<")[0] for part in html.split("<summary>")[1:]]
    assert titles == ["Trials", "Notices", "Space", "Options", "Oracle and pruning", "Cell"]
    for row in (
        ["id", "01jzabc00009"],
        ["took", "3 min 12 s"],
        ["objectives", "val_accuracy:max"],
        ["user", "ada on lovelace, process 4711"],
        ["trial", "status", "val_accuracy", "units", "dropout", "optimizer", "epochs", "time", "cause"],
        ["2", "pruned", "0.6000", "32", "0.1", "adam", "1", "1.0 s", ""],
        ["3", "completed, best", "0.9722", "48", "0.1", "adam", "4", "4.2 s", ""],
        ["4", "failed", "", "64", "0.1", "adam", "0", "5.0 s", "ValueError: units must be even"],
        ["units", "Int", "16 to 256, by its logarithm", "16", ""],
        ["dropout", "Float", "0 to 0.5, step 0.1", "0", ""],
        ["optimizer", "Choice", "adam, sgd", "adam", ""],
        ["trials", "20"],
        ["oracle", "tpe"],
        ["importances.units", "0.6"],
        ["saved by pruning", "about 40.0 s"],
    ):
        assert row in page.rows
    assert "digits#2: completed, 5 trials" in page.text
    assert "Seed 7 was chosen." in page.text
    assert SOURCE in page.text


def test_a_conditional_hyperparameter_says_where_it_counts() -> None:
    rows = Page(SearchDetails(make_large_search(3)).html()).rows
    assert ["units_3", "Int", "8 to 56, step 8", "8", "num_layers is 3"] in rows
    assert ["regularizer", "Choice", "none, l1, l2", "none", ""] in rows
    assert ["batch_normalization", "Boolean", "", "no", ""] in rows


def test_details_of_a_search_that_has_just_begun() -> None:
    search = make_search(status=RunStatus.RUNNING, ended_at=None, options={}, facts={}, note="", tags={})
    assert SearchDetails(search).text().startswith("digits#2: running, 0 trials\n")
    assert SearchDetails(search).html().count("<summary>") == 1


def test_no_script_of_a_user_survives() -> None:
    space = [{"name": EVIL, "kind": EVIL, "default": EVIL, "values": [EVIL], "condition": EVIL}]
    search = make_search(
        *(make_trial(1, {EVIL: 0.5}, {EVIL: EVIL}), failed(2, EVIL, EVIL)),
        source=EVIL,
        note=EVIL,
        user=EVIL,
        tags={EVIL: EVIL},
        options={EVIL: EVIL},
        facts={"objectives": [f"{EVIL}:max"], "space": space, "said": [EVIL], "importances": {EVIL: 0.5}},
        failure=Failure(kind=EVIL, message=EVIL, traceback=EVIL),
    )
    page = Page(SearchDetails(search).html())
    assert page.text.count(EVIL) >= 20
    assert all("alert" not in script for script in page.scripts)
    assert len(page.scripts) == len([tag for tag, _ in page.elements if tag == "script"]) == 1


def test_the_list_has_a_row_for_each_search() -> None:
    listed = make_search(number=1, num_trials=12, status=RunStatus.DIED, tags={})
    scored = replace(SMALL, facts={**SMALL.facts, "best": {"trial": 1, "score": 0.97222}}, trials=())
    page = Page(SearchesTable([scored, listed], total=300).html())
    started = theme.moment(STARTED)
    assert page.rows == [
        ["search", "status", "trials", "objective", "best score", "started", "tags"],
        ["digits#2", "completed", "5", "val_accuracy", "0.9722", started, "stage=draft"],
        ["digits#1", "died", "12", "val_accuracy", "", started, ""],
    ]
    assert "300 searches, 2 shown" in page.text


def test_an_empty_list_says_what_to_do_first() -> None:
    assert "%%tune" in SearchesTable([], total=0).text()


def test_details_of_a_trial_show_its_search_number_and_values() -> None:
    trial = pruned(2, 0.6)
    assert (
        RunDetails(trial)
        .text()
        .startswith("digits#2/2: pruned after 1 of 4 epochs, best epoch 1 by val_accuracy: it fell behind the trials before it\n")
    )
    rows = Page(RunDetails(trial).html()).rows
    for row in (["trial", "2 of the search digits#2"], ["values.units", "32"], ["scores.val_accuracy", "0.6"]):
        assert row in rows


def test_a_comparison_of_trials_shows_the_values_that_differ() -> None:
    rows = Page(RunComparison([make_trial(1, 0.5), make_trial(3, 0.6)]).html()).rows
    assert ["run", "digits#2/1", "digits#2/3"] in rows
    assert ["trial.units", "16", "48"] in rows
    assert "trial.dropout" not in [row[0] for row in rows]
