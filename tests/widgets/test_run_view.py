from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sample_runs import SOURCE, Page, make_epochs, make_result, make_run

from jupyter_mltrain.domain.run import Failure, Process, RunStatus
from jupyter_mltrain.widgets.run_view import RunDetails, RunResult


def test_the_result_of_a_completed_run() -> None:
    assert RunResult(make_run(), ("--epochs 4 overrides epochs=2 in the cell.",)).text() == "\n".join(
        [
            "digits: completed, 4 epochs, best epoch 3 by val_loss",
            "  epoch 3    train  validation",
            "  loss      0.0123      0.0812",
            "  accuracy   0.998       0.978",
            "CPU: this machine has no GPU. Precision float32, plan auto.",
            'Registered as digits: jupyter_mltrain.load_model("digits")',
            "--epochs 4 overrides epochs=2 in the cell.",
        ]
    )


def test_the_result_as_html_says_the_same() -> None:
    page = Page(RunResult(make_run(), ("<b>notice</b>",)).html())
    assert page.rows == [["epoch 3", "train", "validation"], ["loss", "0.0123", "0.0812"], ["accuracy", "0.998", "0.978"]]
    assert "digits: completed, 4 epochs, best epoch 3 by val_loss" in page.text
    assert 'jupyter_mltrain.load_model("digits")' in page.text
    assert "<b>notice</b>" in page.text
    assert page.scripts == []


def test_the_result_is_the_same_for_runs_that_differ_only_in_what_changes_every_time() -> None:
    run = make_run()
    again = replace(
        run,
        id="01k000000009",
        number=12,
        started_at=datetime(2027, 1, 1, tzinfo=UTC),
        ended_at=None,
        user="grace",
        process=Process(host="hopper", pid=1, started=1.0),
        folder=Path("elsewhere"),
        facts={},
        result=make_result(model_id="digits@44", duration=99.0),
        epochs=tuple(replace(epoch, seconds=9.0) for epoch in run.epochs),
    )
    assert RunResult(run)._repr_mimebundle_() == RunResult(again)._repr_mimebundle_()


@pytest.mark.parametrize(
    ("status", "result", "headline"),
    [
        (
            RunStatus.STOPPED,
            make_result(hyperparams={"epochs": 20}),
            "digits: stopped after 4 of 20 epochs, best epoch 3 by val_loss: model, history and best weights are kept",
        ),
        (
            RunStatus.INTERRUPTED,
            make_result(epochs=1, best_epoch=None, hyperparams={}),
            "digits: interrupted after 1 epoch: model, history and best weights are kept",
        ),
        (RunStatus.DIED, None, "digits: died after 4 epochs: its process ended without a word, what it had recorded is kept"),
        (RunStatus.RUNNING, None, "digits: running, 4 epochs"),
        (
            RunStatus.COMPLETED,
            make_result(hyperparams={"epochs": 20}),
            "digits: completed, 4 of 20 epochs, best epoch 3 by val_loss",
        ),
    ],
)
def test_the_headline_says_how_a_run_ended(status: RunStatus, result: object, headline: str) -> None:
    assert RunResult(make_run(status=status, result=result)).text().splitlines()[0] == headline


def test_a_failed_run_says_why_and_shows_its_last_epoch() -> None:
    failure = Failure(kind="DivergedError", message="the loss became NaN:\nepoch 5", traceback="Traceback …")
    lines = RunResult(make_run(status=RunStatus.FAILED, result=None, failure=failure)).text().splitlines()
    assert lines == [
        "digits: failed after 4 epochs: DivergedError: the loss became NaN:↵epoch 5",
        "  epoch 4   train  validation",
        "  loss      0.250       0.350",
        "  accuracy  0.250       0.350",
    ]


def test_without_validation_there_is_no_column_for_it() -> None:
    run = make_run(result=make_result(best_metrics={"loss": 0.5}, best_epoch=4, monitor="loss", model_id=None))
    assert Page(RunResult(run).html()).rows == [["epoch 4", "train"], ["loss", "0.500"]]
    assert "Registered" not in RunResult(run).text()


def test_a_run_that_recorded_nothing_is_one_line() -> None:
    run = make_run(status=RunStatus.FAILED, result=None, epochs=(), facts={}, failure=None)
    assert RunResult(run).text() == "digits: failed after 0 epochs"


def test_details_hold_all_that_is_recorded() -> None:
    html = RunDetails(make_run()).html()
    page = Page(html)
    titles = [part.partition("<")[0] for part in html.split("<summary>")[1:]]
    assert titles == [
        *("Result", "Notices", "Options", "Hyperparameters", "Data", "Model", "Environment", "Packages", "Cell", "Epochs"),
    ]
    for row in (
        ["id", "01jzabc00003"],
        ["registered as", "digits@3"],
        ["tags", "stage=draft, baseline"],
        ["user", "ada on lovelace, process 4711"],
        ["folder", "home/runs/01jzabc00003"],
        ["loss", "0.0123", "0.0812", "0.0100", "0.0900"],
        ["register", "digits"],
        ["learning_rate", "0.001"],
        ["x.content", "xxh3:9f86d081"],
        ["num_params", "12810"],
        ["seed", "7"],
        ["git.dirty", "yes"],
        ["keras", "3.15.1"],
        ["2", "0.500", "0.600", "0.500", "0.600", "0.25 s"],
    ):
        assert row in page.rows
    assert SOURCE in page.text
    assert "dense 12,810" in page.text


def test_details_show_the_traceback_and_no_script_of_a_user_survives() -> None:
    evil = "<script>alert(1)</script>"
    run = make_run(
        name="digits",
        source=evil,
        note=evil,
        user=evil,
        tags={evil: evil},
        options={evil: evil},
        facts={"said": [evil], "model": {"summary": evil}, "data": {evil: evil}, evil: evil},
        failure=Failure(kind=evil, message=evil, traceback=evil),
        epochs=make_epochs(2, evil),
    )
    page = Page(RunDetails(run).html())
    assert page.text.count(evil) >= 12
    assert all("alert" not in script for script in page.scripts)
    assert len(page.scripts) == len([tag for tag, _ in page.elements if tag == "script"]) == 1


def test_details_of_a_run_that_has_just_begun() -> None:
    run = make_run(status=RunStatus.RUNNING, ended_at=None, result=None, epochs=(), facts={}, options={}, note="", tags={})
    assert "ended" not in RunDetails(run).text()
    assert RunDetails(run).html().count("<summary>") == 1
