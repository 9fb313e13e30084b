"""Recorded searches: what is found of them, by which names, and their data frame."""

from __future__ import annotations

import math
import sys

import pytest

from jupyter_mltrain.domain.errors import MissingExtraError, OptionError, UnknownNameError
from jupyter_mltrain.domain.run import RunFilter, RunStatus, TrainingResult
from jupyter_mltrain.domain.run_summary import RunOrder
from jupyter_mltrain.services.runs import get_run, list_runs, run_names
from jupyter_mltrain.services.searches import get_search, list_searches, remove_searches, search_names
from jupyter_mltrain.services.session import Session
from jupyter_mltrain.store.processes import this_process


@pytest.fixture
def session(tmp_path):
    session = Session(str(tmp_path / "home"))
    yield session
    session.close()


def given():
    return {"source": "fit", "options": {}, "tags": {}, "note": "", "user": "ada", "process": this_process()}


def train(session, name):
    run = session.store.runs.create_run(name=name, facts={}, **given())
    return session.store.runs.finish_run(run.id, status=RunStatus.COMPLETED, result=result(0.5))


def result(loss):
    return TrainingResult(
        epochs=3,
        train_loss=loss,
        val_loss=None,
        train_metrics={},
        val_metrics={},
        monitor="loss",
        best_epoch=3,
        best_score=loss,
        best_metrics={"loss": loss},
        duration=1.5,
        hyperparams={},
        strategy="cpu",
        precision="float32",
        plan="keras",
        reason="CPU: this machine has no GPU.",
    )


def search(session, name, *trials):
    """A search whose trials had these values and ended with these losses, or failed."""
    searches = session.store.searches
    begun = searches.create_search(name=name, facts={"objectives": ["loss:min"]}, **given())
    for values, loss in trials:
        trial = searches.begin_trial(begun.id, values=values, state={}, **given())
        searches.end_trial(
            trial.id,
            status=RunStatus.FAILED if loss is None else RunStatus.COMPLETED,
            result=None if loss is None else result(loss),
            failure=None,
            epochs=(),
            facts={},
            scores={} if loss is None else {"loss": loss, "num_params": 10 * loss},
            values=values,
            state={},
        )
    return searches.finish_search(begun.id, status=RunStatus.COMPLETED)


def test_a_search_is_found_with_its_trials_the_newest_if_none_is_named(session):
    search(session, "digits", ({"units": 8}, 0.5), ({"units": 16}, 0.25))
    search(session, "tabular")
    train(session, "later")
    found = get_search(session, "digits")
    assert ([trial.ref for trial in found.trials], found.best.ref) == (["digits#1/1", "digits#1/2"], "digits#1/2")
    assert get_search(session).ref == "tabular#1"
    with pytest.raises(UnknownNameError, match=r"no search named 'digts': did you mean digits\?"):
        get_search(session, "digts")
    with pytest.raises(UnknownNameError, match="no search named 'later'"):
        get_search(session, "later")


def test_without_a_search_the_next_step_is_said(session):
    assert list_searches(session) == ((), 0)
    with pytest.raises(UnknownNameError, match=r"there is none in .*home: put %%tune on top of a cell"):
        get_search(session)


def test_searches_are_listed_in_pages(session):
    for name in ("a", "b", "c"):
        search(session, name, ({}, 0.5))
    found, total = list_searches(session, limit=2, offset=1)
    assert ([(each.ref, each.num_trials) for each in found], total) == ([("b#1", 1), ("a#1", 1)], 3)
    with pytest.raises(OptionError, match="expected --limit of at least 1, received 0"):
        list_searches(session, limit=0)


def test_removed_searches_are_returned(session):
    search(session, "digits", ({"units": 8}, 0.5))
    (removed,) = remove_searches(session, ["digits#1"])
    assert (removed.ref, len(removed.frame())) == ("digits#1", 1)
    assert list_searches(session)[1] == 0


def test_names_are_completed_as_far_as_they_are_begun(session):
    for _ in range(2):
        search(session, "digits", *[({}, 0.5)] * 60)
    search(session, "tabular", ({}, 0.5))
    assert search_names(session) == search_names(session, "dig") == ("digits", "tabular")
    assert search_names(session, "digits#") == ("digits#2", "digits#1")
    assert search_names(session, "digits#1/6") == tuple(f"digits#1/{number}" for number in range(1, 61))
    assert search_names(session, "tabular/") == ("tabular/1",)
    assert search_names(session, "nothing#") == search_names(session, "nothing/") == search_names(session, "/") == ()


def test_the_newest_run_is_never_a_trial(session):
    train(session, "mine")
    search(session, "digits", ({"units": 8}, 0.5))
    assert get_run(session).ref == "mine#1"
    assert run_names(session) == ("mine",)
    assert get_run(session, "digits/1").ref == "digits#1/1"
    assert [run.ref for run in list_runs(session, RunFilter())[0]] == ["mine#1"]


def test_with_trials_alone_there_is_no_newest_run(session):
    search(session, "digits", ({"units": 8}, 0.5))
    with pytest.raises(UnknownNameError, match="expected a recorded run"):
        get_run(session)


def test_trials_are_listed_as_runs_and_what_is_unknown_is_said(session):
    search(session, "digits", ({"units": 8}, 0.5), ({"units": 16}, 0.25))
    for order in (RunOrder(), RunOrder(contains="digits")):
        found, total = list_runs(session, RunFilter(search="digits", best="num_params", limit=1), order)
        assert ([run.trial.values for run in found], total) == ([{"units": 16}], 2)
    with pytest.raises(UnknownNameError, match=r"no search named 'digts': did you mean digits\?"):
        list_runs(session, RunFilter(search="digts"))
    with pytest.raises(UnknownNameError, match=r"no metric named 'num_param': did you mean num_params\?"):
        list_runs(session, RunFilter(search="digits", best="num_param"))


def test_a_frame_has_a_row_a_trial(session):
    found = search(session, "digits", ({"units": 8}, 0.5), ({"units": 16, "rate": math.inf}, None), ({"units": "a"}, 0.25))
    frame = get_search(session, found.id).frame()
    assert list(frame.columns) == ["trial", "status", "hp.units", "hp.rate", "loss", "num_params", "epochs", "duration"]
    assert list(frame["trial"]) == [1, 2, 3]
    assert list(frame["status"]) == ["completed", "failed", "completed"]
    assert list(frame["hp.units"]) == [8, 16, "a"]
    assert frame["hp.rate"].tolist()[1] == math.inf
    assert frame["hp.rate"].isna().tolist() == [True, False, True]
    assert frame["loss"].dropna().to_dict() == {0: 0.5, 2: 0.25}
    assert frame["epochs"].tolist() == [3, 0, 3]
    assert frame["duration"].dropna().to_dict() == {0: 1.5, 2: 1.5}


def test_a_frame_of_no_trials_has_its_columns(session):
    search(session, "digits")
    assert list(get_search(session).frame().columns) == ["trial", "status", "epochs", "duration"]


def test_without_pandas_the_way_to_it_is_said(session, monkeypatch):
    search(session, "digits", ({"units": 8}, 0.5))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"expected pandas for search\.frame\(\), .* pip install"):
        get_search(session).frame()
